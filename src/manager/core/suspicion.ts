/**
 * What becomes of failure reports (PROTOCOL M2, see-tell). The manager looks for itself: it probes the reported node,
 * and only marks it suspect if no answer comes; nobody is removed on hearsay (M3 decides that). One probe per node at
 * a time, so that a thousand false reports cost no more than one.
 *
 * A node that answers the manager in time, but that most of its fellow nodes report all the while, is cut off from them: it is isolated,
 * that is taken off its slots behind a fence, until the reports have ceased for a while (isolations.ts). *[found: on a machine that was
 * slow to start its nodes, each stood still for a moment in turn, and lost all its slots when it had long gone on]* So is one that says
 * of itself that its disk hangs.
 */
import { MessageType } from '../../protocol/messages.js';
import type { Link, ReportMessage } from '../../protocol/messages.js';
import { Isolations } from './isolations.js';
import { recordReport } from './members.js';
import type { Member } from './members.js';
import type { ManagerPorts, ManagerTimings } from './ports.js';
import type { Roster } from './roster.js';

export class Suspicion {
  readonly #ports: ManagerPorts;
  readonly #timings: ManagerTimings;
  readonly #roster: Roster;
  readonly #nextRid: () => number;
  readonly #isolations: Isolations;

  constructor(ports: ManagerPorts, timings: ManagerTimings, roster: Roster, nextRid: () => number) {
    this.#ports = ports;
    this.#timings = timings;
    this.#roster = roster;
    this.#nextRid = nextRid;
    this.#isolations = new Isolations({
      roster,
      timings,
      nowMs: () => ports.nowMs(),
      log: ports.log.bind(ports),
    });
  }

  /** A report on a past incarnation is dropped. */
  onReport(link: Link, { nodeId, incarnation }: ReportMessage): void {
    const member = this.#roster.members.get(nodeId);
    if (member?.incarnation !== incarnation) return;
    const nowMs = this.#ports.nowMs();
    const reporter = this.#roster.byLink(link);
    const { reportCountsMs } = this.#timings;
    if (reporter !== undefined) recordReport(member, reporter.id, nowMs, reportCountsMs);
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
    this.#isolations.tick();
  }

  #endProbe(member: Member): void {
    member.probeRid = 0;
    // What its fellows saw, the manager has seen, too: it was not cut off from them. Who still cannot reach it says so again.
    if (this.#ports.nowMs() - member.probeSentMs >= this.#timings.probeMsMax) member.reportedBy.clear();
  }
}
