/** One client core on a table: fake links to the replicas of its only slot, a clock that moves when told. */
import { ClientCore } from '../../src/client/core/client-core.js';
import { newSlot } from '../../src/protocol/cluster-map.js';
import { defaultSettings } from '../../src/protocol/settings.js';
import { KeepingLink } from './node-core.js';

export class ClientOnTable {
  readonly core: ClientCore;
  readonly links: ReadonlyMap<number, KeepingLink>;
  manager: KeepingLink | undefined;
  nowMs = 1000;
  /** What has come from each node. */
  readonly bytes = new Map<number, number>();
  /** After each put that is sent. */
  onSend: () => void = () => undefined;

  /** @param replicas - primary first */
  constructor(replicas: readonly number[], readFrom: 'primary' | 'any' = 'primary', inFlightMax = 16_384) {
    const links = new Map(replicas.map((id) => [id, new KeepingLink()]));
    this.links = links;
    this.core = new ClientCore({
      clientId: 9,
      readFrom,
      inFlightMax,
      ports: {
        nowMs: () => this.nowMs,
        clockUs: () => 1000 * this.nowMs,
        random: () => 0.5,
        node: (id) => links.get(id),
        bytesFrom: (id) => this.bytes.get(id) ?? 0,
        manager: () => this.manager,
        broadcast: (to, message, isAlone) => {
          for (const link of to) link.send(message, isAlone);
          this.onSend();
        },
        mapAdopted: () => undefined,
        completed: () => undefined,
      },
    });
    const nodes = replicas.map((id) => ({ id, incarnation: 7, host: '127.0.0.1', port: id }));
    const settings = { ...defaultSettings, slotCount: 1 };
    this.core.onMap({ clusterId: 'table', epoch: 1, settings, nodes, slots: [newSlot(replicas, 1)] });
  }

  /** Whether enough waits for the connection to that node. */
  fill(id: number, isFull = true): void {
    const link = this.links.get(id);
    if (link !== undefined) link.isFull = isFull;
  }
}
