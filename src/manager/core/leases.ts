/**
 * Grants leases, and knows when one has surely run out (PROTOCOL M1, M3). The manager counts from the receipt of a
 * heartbeat, and a little longer, while the node counts from when it sent it: so a lease always ends later here.
 *
 * A manager that stood still (stopped, swapped out, a slow disk) has heard nobody meanwhile, and some of its nodes may have
 * to dial anew before they are heard: it assumes that they hold full leases, as a manager that was restarted does. That is
 * always safe; so that one which stands still again and again takes the dead off some day, it is done a few times in a row only.
 */
import { MessageType } from '../../protocol/messages.js';
import type { HeartbeatMessage, Link } from '../../protocol/messages.js';
import type { ManagerClock } from './manager-clock.js';
import { extendLease, recordHeartbeat } from './members.js';
import type { Member } from './members.js';
import type { ManagerPorts } from './ports.js';
import type { Roster } from './roster.js';

/** Share of a lease between two ticks that tells that this process stood still: far from the usual, and none lapses by less. */
const absenceRatio = 0.25;
/** To dial a host that was suspended may take its nodes two seconds and a pause, of which one has passed when it is back. */
const suspendedLeases = 2;
/** Leases in a row that may be assumed of one that is not heard. */
const assumedMax = 3;

export class Leases {
  readonly #ports: ManagerPorts;
  readonly #roster: Roster;
  readonly #clock: ManagerClock;
  readonly #leaseMs: number;
  #tickedAtMs: number;

  constructor(ports: ManagerPorts, roster: Roster, clock: ManagerClock, leaseMs: number) {
    this.#ports = ports;
    this.#roster = roster;
    this.#clock = clock;
    this.#leaseMs = leaseMs;
    this.#tickedAtMs = ports.nowMs();
  }

  /** From now on it may believe to hold a full lease, or as many one after the other. */
  assume(member: Member, leases = 1): void {
    extendLease(member, leases * this.#leaseMs, this.#ports.nowMs());
  }

  /** The published map names it. It may not have asked for a lease yet; it gets a lease's time to do so. */
  admit(member: Member): void {
    if (member.admitted) return;
    member.admitted = true;
    this.#roster.lostAtMs.delete(member.id);
    this.assume(member);
  }

  /**
   * Answers a heartbeat with a lease for the published epoch.
   * @param isBusy a further map is being saved
   * @returns false if the node gets none now
   */
  onHeartbeat(
    member: Member,
    link: Link,
    message: HeartbeatMessage,
    epoch: number,
    isBusy: boolean,
  ): boolean {
    // A heartbeat from before a reconnection says nothing of the connection in use.
    if (member.link !== link) return false;
    recordHeartbeat(member, message, this.#ports.nowMs());
    // Being taken off some slots at this very moment: its next lease comes with the map that does so.
    if (this.#roster.lapsed.has(member.id) && isBusy) return false;
    this.#roster.lapsed.delete(member.id);
    this.assume(member);
    const clockUs = this.#clock.nowUs;
    link.send({ type: MessageType.lease, rid: message.rid, epoch, leaseMs: this.#leaseMs, clockUs });
    return true;
  }

  /** @returns whether a lease has run out just now. */
  tick(): boolean {
    const nowMs = this.#ports.nowMs();
    const { members, lapsed, lostAtMs } = this.#roster;
    const wasSuspended = this.#clock.takeSuspension();
    const wasAbsent = wasSuspended || nowMs - this.#tickedAtMs > this.#leaseMs * absenceRatio;
    this.#tickedAtMs = nowMs;
    const countBefore = lapsed.size;
    for (const member of members.values()) {
      if (!member.admitted || lapsed.has(member.id)) continue;
      if (wasAbsent) this.#assumeUnheard(member, wasSuspended ? suspendedLeases : 1);
      if (nowMs < member.leaseEndMs) continue;
      // M3: from now on it can hold no lease, and gets none before the map without it is out.
      lapsed.add(member.id);
      lostAtMs.set(member.id, nowMs);
      this.#ports.log('warn', `node ${member.id}: silent, its lease has run out`);
    }
    return lapsed.size > countBefore;
  }

  /** M3: that nothing was heard of it says nothing of it, as far as nobody listened. */
  #assumeUnheard(member: Member, leases: number): void {
    if (member.leasesAssumed >= assumedMax) return;
    member.leasesAssumed++;
    if (this.#ports.nowMs() >= member.leaseEndMs)
      this.#ports.log(
        'warn',
        `node ${member.id}: not heard while this manager stood still; it is given time`,
      );
    this.assume(member, leases);
  }
}
