/**
 * What the client asks and tells of the cluster beside its operations: it asks for a newer map, one request at a time
 * however many operations wait for it, and tells the manager of nodes that did not answer (see-tell, M2).
 */
import type { ClusterMap } from '../../protocol/cluster-map.js';
import { MessageType } from '../../protocol/messages.js';
import type { Link } from '../../protocol/messages.js';
import type { ClientPorts, ClientTimings } from './ports.js';

export class Scout {
  readonly #ports: ClientPorts;
  readonly #timings: ClientTimings;
  #rid = 0;
  #mapWantedAgainAtMs = -Infinity;
  readonly #reportedAtMs = new Map<number, number>();

  constructor(ports: ClientPorts, timings: ClientTimings) {
    this.#ports = ports;
    this.#timings = timings;
  }

  /** Asks the manager, or any node if it is away, for something newer than `map`. */
  wantMap(map: ClusterMap | null): void {
    const nowMs = this.#ports.nowMs();
    if (nowMs < this.#mapWantedAgainAtMs) return;
    const link = this.#ports.manager() ?? this.#anyNode(map);
    if (link === undefined) return;
    this.#mapWantedAgainAtMs = nowMs + this.#timings.mapWantedEveryMs * (0.5 + this.#ports.random());
    link.send({ type: MessageType.getMap, rid: ++this.#rid, newerThan: map?.epoch ?? 0 });
  }

  #anyNode(map: ClusterMap | null): Link | undefined {
    const nodes = map?.nodes ?? [];
    const start = Math.floor(this.#ports.random() * nodes.length);
    for (let i = 0; i < nodes.length; i++) {
      const link = this.#ports.node(nodes[(start + i) % nodes.length]?.id ?? -1);
      if (link !== undefined) return link;
    }
    return undefined;
  }

  /** This node did not answer. The manager looks for itself. */
  report(map: ClusterMap | null, nodeId: number): void {
    const member = map?.node(nodeId);
    const manager = this.#ports.manager();
    const nowMs = this.#ports.nowMs();
    if (member === undefined || manager === undefined) return;
    if (nowMs - (this.#reportedAtMs.get(nodeId) ?? -Infinity) < this.#timings.reportEveryMs) return;
    this.#reportedAtMs.set(nodeId, nowMs);
    const { incarnation } = member;
    manager.send({ type: MessageType.report, rid: ++this.#rid, nodeId, incarnation, epoch: map?.epoch ?? 0 });
  }
}
