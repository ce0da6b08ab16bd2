/** What the manager is told of slots: their loads, the hottest of them, and whether keys spread badly. */
import type { AdminRequest, AdminResult } from '../../protocol/admin.js';
import type { ClusterMap } from '../../protocol/cluster-map.js';
import type { Link, SlotLoadsMessage } from '../../protocol/messages.js';
import { describeBadSpread } from './key-spread.js';
import type { ManagerPorts } from './ports.js';
import type { Roster } from './roster.js';
import { SlotLoads } from './slot-loads.js';

/** How often the spread of the keys is looked at. */
const lookEveryMs = 5000;
const hotCountMax = 1000;

export class SlotDesk {
  readonly loads: SlotLoads;
  readonly #ports: ManagerPorts;
  readonly #roster: Roster;
  #lookedAtMs = -Infinity;
  #badSpread: string | null = null;
  #warned = false;

  constructor(ports: ManagerPorts, roster: Roster, slotCount: number) {
    this.#ports = ports;
    this.#roster = roster;
    this.loads = new SlotLoads(slotCount);
  }

  /** What the owner of the cluster should know. */
  get warnings(): readonly string[] {
    return this.#badSpread === null ? [] : [this.#badSpread];
  }

  /** Counts only from the member itself, and for slots that it is a full replica of. */
  onLoads(link: Link, { nodeId, incarnation, loads }: SlotLoadsMessage, map: ClusterMap | null): void {
    const member = this.#roster.members.get(nodeId);
    if (map === null || member?.incarnation !== incarnation || member.link !== link) return;
    const own = loads.filter(({ slot }) => map.slots[slot]?.replicas.includes(nodeId));
    this.loads.note({ nodeId, loads: own }, this.#ports.nowMs());
  }

  hot({ count }: Extract<AdminRequest, { command: 'hot' }>, map: ClusterMap | null): AdminResult {
    if (!Number.isInteger(count) || count < 1 || count > hotCountMax) {
      return { ok: false, error: `the count of slots must be a whole number from 1 to ${hotCountMax}` };
    }
    const hottest = this.loads.hottest(count, this.#ports.nowMs());
    return {
      ok: true,
      hot: hottest.map((rate) => ({ ...rate, replicas: map?.slot(rate.slot).replicas ?? [] })),
    };
  }

  onPublished(map: ClusterMap): void {
    this.loads.keep((slot, nodeId) => map.slot(slot).replicas.includes(nodeId));
  }

  tick(map: ClusterMap): void {
    const nowMs = this.#ports.nowMs();
    if (nowMs - this.#lookedAtMs < lookEveryMs) return;
    this.#lookedAtMs = nowMs;
    this.#badSpread = describeBadSpread(map, this.loads);
    if (this.#badSpread === null || this.#warned) return;
    this.#warned = true;
    this.#ports.log('warn', this.#badSpread);
  }
}
