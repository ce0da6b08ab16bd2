/**
 * What becomes of failure reports (PROTOCOL M2, see-tell). The manager looks for itself: it probes the reported node,
 * and only marks it suspect if no answer comes; nobody is removed on hearsay (M3 decides that). One probe per node at
 * a time, so that a thousand false reports cost no more than one.
 *
 * A node that answers the manager in time, but that most of its fellow nodes report all the while, is cut off from them: it is isolated,
 * that is taken off its slots behind a fence, until the reports have ceased for a while. *[found: on a machine that was slow to start
 * its nodes, each stood still for a moment in turn, and lost all its slots when it had long gone on]*
 */
import { MessageType } from '../../protocol/messages.js';
import type { Link, ReportMessage } from '../../protocol/messages.js';
import { recordReport, reporters } from './members.js';
import type { Member } from './members.js';
import type { ManagerPorts, ManagerTimings } from './ports.js';
import type { Roster } from './roster.js';

export class Suspicion {
  readonly #ports: ManagerPorts;
  readonly #timings: ManagerTimings;
  readonly #roster: Roster;
  readonly #nextRid: () => number;

  constructor(ports: ManagerPorts, timings: ManagerTimings, roster: Roster, nextRid: () => number) {
    this.#ports = ports;
    this.#timings = timings;
    this.#roster = roster;
    this.#nextRid = nextRid;
  }

  /** A report on a past incarnation is dropped. */
  onReport(link: Link, { nodeId, incarnation }: ReportMessage): void {
    const member = this.#roster.members.get(nodeId);
    if (member?.incarnation !== incarnation) return;
    const nowMs = this.#ports.nowMs();
    const reporter = this.#roster.byLink(link);
    const { reportCountsMs } = this.#timings;
    if (reporter !== undefined && reporter !== member)
      recordReport(member, reporter.id, nowMs, reportCountsMs);
    if (member.link === null || member.probeRid !== 0) return;
    member.probeRid = this.#nextRid();
    member.probeSentMs = nowMs;
    member.link.send({ type: MessageType.probe, rid: member.probeRid });
  }

  onProbeAck(rid: number): void {
    for (const member of this.#roster.members.values()) {
      if (member.probeRid !== rid) continue;
      this.#endProbe(member);
      member.suspect = false;
    }
  }

  tick(): void {
    const nowMs = this.#ports.nowMs();
    for (const member of this.#roster.members.values()) {
      if (member.probeRid === 0 || nowMs - member.probeSentMs < this.#timings.probeMsMax) continue;
      this.#endProbe(member);
      if (member.suspect) continue;
      member.suspect = true;
      this.#ports.log('warn', `node ${member.id}: reported, and does not answer a probe; suspected`);
    }
    this.#checkIsolation(nowMs);
  }

  #endProbe(member: Member): void {
    member.probeRid = 0;
    // What its fellows saw, the manager has seen, too: it was not cut off from them. Who still cannot reach it says so again.
    if (this.#ports.nowMs() - member.probeSentMs >= this.#timings.probeMsMax) member.reportedBy.clear();
  }

  #checkIsolation(nowMs: number): void {
    const { members, isolatedUntilMs } = this.#roster;
    const { reportCountsMs, reportPersistMs, isolationMs } = this.#timings;
    for (const [id, untilMs] of isolatedUntilMs) if (nowMs >= untilMs) isolatedUntilMs.delete(id);
    for (const member of members.values()) {
      // Whoever does not answer the manager either is no such case: its lease or its end decides (M3).
      if (member.link === null || member.suspect || member.probeRid !== 0) continue;
      const count = reporters(member, nowMs, reportCountsMs, reportPersistMs);
      if (count < 2 || count * 2 < members.size - 1) continue;
      const isKnown = isolatedUntilMs.has(member.id);
      // One at a time: when everybody reports everybody, removing all would help nobody.
      if (!isKnown && isolatedUntilMs.size > 0) continue;
      if (!isKnown) {
        this.#ports.log('warn', `node ${member.id}: ${count} nodes cannot reach it; taking it off its slots`);
      }
      isolatedUntilMs.set(member.id, nowMs + isolationMs);
    }
  }
}
