/** One node core on a table: fake links that keep what was sent, a clock that moves when told, maps by hand. */
import type { Journal } from '../../src/node/core/journal.js';
import { NodeCore } from '../../src/node/core/node-core.js';
import type { NodePorts } from '../../src/node/core/ports.js';
import { ArenaStore } from '../../src/node/storage/arena-store.js';
import type { ClusterMapData, SlotAssignment } from '../../src/protocol/cluster-map.js';
import { MessageType } from '../../src/protocol/messages.js';
import type { Link, Message } from '../../src/protocol/messages.js';
import { defaultSettings } from '../../src/protocol/settings.js';
import type { ClusterSettings } from '../../src/protocol/settings.js';

let linkIds = 0;

export class KeepingLink implements Link {
  readonly id = ++linkIds;
  isFull = false;
  isOfNode = true;
  onSent: () => void = () => undefined;
  sent: Message[] = [];
  /** Of each message that was sent lazily. */
  readonly patience: number[] = [];
  /** Of each message that was not, whether it was alone. */
  readonly alone: boolean[] = [];

  send(message: Message, isAlone = false): void {
    this.alone.push(isAlone);
    this.#keep(message);
  }

  sendLazily(message: Message, patienceMs: number): void {
    this.patience.push(patienceMs);
    this.#keep(message);
  }

  #keep(message: Message): void {
    // What is sent on the hot path is a scratch object.
    this.sent.push({ ...message });
    this.onSent();
  }

  /** What was sent of that type since the last call. */
  take<T extends Message['type']>(type: T): Extract<Message, { type: T }>[] {
    const found = this.sent.filter((m): m is Extract<Message, { type: T }> => m.type === type);
    this.sent = this.sent.filter((m) => m.type !== type);
    return found;
  }
}

export const self = 1;

/** Of a conditional write: who asks, for the first time, that nothing is there. */
export const putIfAbsent = {
  opClientId: 5,
  opNumber: 1,
  retried: false,
  wants: 0,
  expectAbsent: true,
} as const;

/** A cluster of which this node is the member `self`; the map's epochs count up. */
export class NodeOnTable {
  readonly store: ArenaStore;
  readonly core: NodeCore;
  readonly peers = new Map<number, KeepingLink>();
  manager: KeepingLink | undefined = new KeepingLink();
  nowMs = 1_000_000;
  /** What waits for the next turn of the event loop. */
  readonly turns: (() => void)[] = [];
  #epoch = 0;

  /** @param disk where it keeps its records; default: nowhere */
  constructor(disk?: { readonly store: ArenaStore; readonly journal: Journal }) {
    this.store = disk?.store ?? new ArenaStore({ hashSeed: 1 });
    const ports: NodePorts = {
      nowMs: () => this.nowMs,
      nextTurn: (work) => {
        this.turns.push(work);
      },
      random: () => 0.5,
      peer: (id) => this.peers.get(id),
      manager: () => this.manager,
      mapAdopted: () => undefined,
      identityChanged: () => undefined,
      stopOrdered: () => undefined,
      log: () => undefined,
    };
    const address = { host: '127.0.0.1', port: 1, pid: 1, hostLabel: '' };
    const journal = disk === undefined ? {} : { journal: disk.journal };
    this.core = new NodeCore({ ports, store: this.store, ...journal, address, nodeId: self });
    this.core.onManagerUp();
  }

  /** A map with these slots, by the manager; with it a lease. Slots without `changedAt` changed with it. */
  map(
    slots: readonly Partial<SlotAssignment>[],
    settings: Partial<ClusterSettings> = {},
    incarnation = 7,
  ): void {
    const epoch = ++this.#epoch;
    const filled = slots.map(({ replicas = [self], learners = [], changedAt = epoch, joinedAt }) => ({
      replicas,
      learners,
      changedAt,
      joinedAt: joinedAt ?? [...replicas, ...learners].map(() => changedAt),
    }));
    const ids = new Set([self, ...filled.flatMap(({ replicas, learners }) => [...replicas, ...learners])]);
    const nodes = [...ids].map((id) => ({ id, incarnation, host: '127.0.0.1', port: id + 1 }));
    const map: ClusterMapData = {
      clusterId: 'table',
      epoch,
      settings: { ...defaultSettings, ...settings, slotCount: slots.length },
      nodes,
      slots: filled,
    };
    if (this.core.membership.incarnation === incarnation) {
      this.core.onManagerMessage({ type: MessageType.map, rid: 0, map });
    } else {
      const [register] = this.manager?.take(MessageType.register) ?? [];
      const rid = register?.rid ?? 0;
      this.core.onManagerMessage({ type: MessageType.registered, rid, nodeId: self, incarnation, map });
    }
    this.lease();
  }

  /** Answers the heartbeats that are out. */
  lease(): void {
    for (const { rid } of this.manager?.take(MessageType.heartbeat) ?? []) {
      const clockUs = this.nowMs * 1000;
      const lease = { type: MessageType.lease, rid, epoch: this.#epoch, leaseMs: 1000, clockUs } as const;
      this.core.onManagerMessage(lease);
    }
  }

  /** One turn of the event loop. */
  turn(): void {
    for (const work of this.turns.splice(0)) work();
  }

  /** Ticks of 10 ms; the manager grants leases all the while. */
  pass(ms: number, each: () => void = () => undefined): void {
    for (let passed = 0; passed < ms; passed += 10) {
      this.nowMs += 10;
      this.core.tick();
      this.lease();
      each();
    }
  }
}
