/** `gtstore recover --accept-loss`: an administrator gives up what nobody can bring back. */
import type { AdminResult } from '../../protocol/admin.js';
import type { SlotAssignment } from '../../protocol/cluster-map.js';
import type { Member } from './members.js';
import type { ManagerPorts } from './ports.js';
import type { Recovery } from './recovery.js';
import type { Registry } from './registry.js';
import type { Roster } from './roster.js';

/** Who has been silent for so long, and is all that a slot has, may be taken for dead by an administrator's word. */
export const takenForDeadMs = 30_000;

export interface LossOptions {
  readonly roster: Roster;
  readonly recovery: Recovery;
  readonly registry: Registry;
  readonly ports: ManagerPorts;
}

/** Slots that have nobody else, each with those. */
export function silentSlots(
  roster: Roster,
  slots: readonly SlotAssignment[],
  nowMs: number,
): Map<number, Member[]> {
  return roster.silentSlots(slots, nowMs - takenForDeadMs);
}

/**
 * Gives up the data of slots that wait for their disks (D3), and of those whose replicas have all been silent for long
 * (M3): he says that these are dead. Both are part of the state until the map says so.
 *
 * @param slots - of the published map
 * @returns how many slots
 */
export function acceptLoss(
  slots: readonly SlotAssignment[],
  { roster, recovery, registry, ports }: LossOptions,
): AdminResult {
  const silent = silentSlots(roster, slots, ports.nowMs());
  const givenUp = new Set([...recovery.waiting, ...silent.keys()]);
  recovery.giveUp(givenUp);
  for (const member of new Set([...silent.values()].flat())) {
    ports.log('warn', `node ${member.id}: taken for dead, as an administrator says`);
    roster.takenForDead.add(member.incarnation);
    registry.forget(member);
  }
  return { ok: true, slots: givenUp.size };
}

/**
 * D3: one that was taken for dead is heard of. What has not begun without it waits again: it comes back with what it has (M6), and is
 * believed. *[found: nodes that could not reach the manager for half a minute were taken for dead; when they could, they cleared their disks]*
 *
 * @returns whether there was anything to take back, which is to be saved
 */
export function takeLossBack(nodeId: number, recovery: Recovery, ports: ManagerPorts): boolean {
  if (!recovery.takeBack()) return false;
  ports.log(
    'error',
    `node ${nodeId}: was taken for dead, and lives: what has not begun without it waits for it`,
  );
  return true;
}
