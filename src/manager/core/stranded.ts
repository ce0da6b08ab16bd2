/**
 * Says which slots wait for what only a person can do: all nodes that had them are back, and none of their disks holds any of it
 * (PROTOCOL D3), most likely since the cluster was started before they were mounted; or the last node that had them has been silent
 * for long, and nobody here sees whether it is dead (M3), as one on another host that was not started again with the rest
 * *[found: such a cluster was never ready, and said nothing of why]*. A person has to mend that, or to say that the data is gone.
 */
import type { SlotAssignment } from '../../protocol/cluster-map.js';
import { silentSlots, takenForDeadMs } from './accept-loss.js';
import type { ManagerPorts } from './ports.js';
import type { Recovery } from './recovery.js';
import type { Roster } from './roster.js';

const giveUp = 'gtstore recover --accept-loss';

export class Stranded {
  readonly #ports: Pick<ManagerPorts, 'log' | 'nowMs'>;
  readonly #roster: Roster;
  readonly #recovery: Recovery;
  readonly #slots: () => readonly SlotAssignment[];
  #told: readonly string[] = [];

  /** @param slots - of the published map */
  constructor(
    ports: Pick<ManagerPorts, 'log' | 'nowMs'>,
    roster: Roster,
    recovery: Recovery,
    slots: () => readonly SlotAssignment[],
  ) {
    this.#ports = ports;
    this.#roster = roster;
    this.#recovery = recovery;
    this.#slots = slots;
  }

  /** For the status: a line for each of the two, if there is such a slot. */
  get warnings(): readonly string[] {
    return [...this.#emptyDisks(), ...this.#silence()];
  }

  #emptyDisks(): string[] {
    const { slots, nodeIds } = this.#recovery.stranded;
    if (slots === 0) return [];
    return [
      `${slots} slots wait: nodes ${nodeIds.join(' ')}, which held them, came back with directories that are empty or hold older data; mount their disks and start the cluster again, or, if what they held is gone for good: ${giveUp}`,
    ];
  }

  #silence(): string[] {
    const silent = silentSlots(this.#roster, this.#slots(), this.#ports.nowMs());
    if (silent.size === 0) return [];
    const ids = [...new Set([...silent.values()].flat().map(({ id }) => id))].sort((a, b) => a - b);
    const [have, them, theyAre] = ids.length === 1 ? ['has', 'it', 'it is'] : ['have', 'them', 'they are'];
    return [
      `${silent.size} slots wait: node ${ids.join(' ')}, the last that had them, ${have} been silent for more than ${takenForDeadMs / 1000} s; start ${them} again with the same --data-dir, or mend the network, or, if ${theyAre} gone for good: ${giveUp}`,
    ];
  }

  /** Each is told once for as long as it is so. */
  tick(): void {
    const lines = this.warnings;
    for (const line of lines) if (!this.#told.includes(line)) this.#ports.log('error', line);
    this.#told = lines;
  }
}
