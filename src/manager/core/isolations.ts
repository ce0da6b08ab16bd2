/**
 * Which nodes are off their slots although they answer the manager (PROTOCOL M2): cut off from their fellows, or with a disk that
 * hangs, as long as that is reported, and for a while longer.
 *
 * A disk may hang off and on. Each time its node comes back it is filled anew, and each time the disk hangs writes wait for seconds.
 * So the same node stays off twice as long each time, until its disk has gone well for long. *[found: a disk that took something every
 * nine seconds held up the writes of its keys for half of the time]*
 *
 * Time counts in ticks: one that comes late, since this process stood still, counts no more than a usual one. The reports of that time
 * still wait to be read then.
 */
import { reporters } from './members.js';
import type { Member } from './members.js';
import type { LogLevel, ManagerTimings } from './ports.js';
import type { Isolation, Roster } from './roster.js';

export interface IsolationsOptions {
  readonly roster: Roster;
  readonly timings: Pick<
    ManagerTimings,
    'reportCountsMs' | 'reportPersistMs' | 'isolationMs' | 'isolationMsMax'
  >;
  readonly nowMs: () => number;
  readonly log: (level: LogLevel, text: string) => void;
}

/** A node's own disk, over all its lives. */
interface HungDisk {
  /** How long it stays off after its last report. */
  forMs: number;
  /** Milliseconds for which this manager had been running when it hung last, or kept its node off. */
  latestMs: number;
}

export class Isolations {
  readonly #options: IsolationsOptions;
  /** By node id; forgotten when all has gone well for `isolationMsMax`. */
  readonly #hungDisks = new Map<number, HungDisk>();
  #runningMs = 0;
  #tickedAtMs: number;

  constructor(options: IsolationsOptions) {
    this.#options = options;
    this.#tickedAtMs = options.nowMs();
  }

  tick(): void {
    const { roster, timings, nowMs } = this.#options;
    const passedMs = nowMs() - this.#tickedAtMs;
    this.#runningMs += Math.min(passedMs, timings.reportCountsMs);
    this.#tickedAtMs = nowMs();
    for (const [id, { untilMs }] of roster.isolated)
      if (this.#runningMs >= untilMs) roster.isolated.delete(id);
    for (const member of roster.members.values()) this.#look(member);
    this.#forgive();
  }

  #look(member: Member): void {
    const { roster, timings, nowMs } = this.#options;
    const { reportCountsMs, reportPersistMs } = timings;
    const reporterIds = reporters(member, nowMs(), reportCountsMs, reportPersistMs);
    const hasHungDisk = reporterIds.includes(member.id);
    this.#note(member, hasHungDisk);
    // Whoever does not answer the manager either is no such case: its lease or its end decides (M3).
    if (member.link === null || member.suspect || member.probeRid !== 0) return;
    const count = reporterIds.length - (hasHungDisk ? 1 : 0);
    const isCutOff = count >= 2 && count * 2 >= roster.members.size - 1;
    if (!hasHungDisk && !isCutOff) return;
    const known = roster.isolated.get(member.id);
    if (known === undefined) this.#isolate(member, hasHungDisk ? 'hungDisk' : 'cutOff', count);
    else known.untilMs = this.#runningMs + known.forMs;
  }

  /** Several may say so, and only one of them is taken off. */
  #note(member: Member, hasHungDisk: boolean): void {
    if (hasHungDisk && !member.hasHungDisk)
      this.#options.log('warn', `node ${member.id}: says that its disk hangs`);
    member.hasHungDisk = hasHungDisk;
  }

  #isolate({ id }: Member, cause: Isolation['cause'], count: number): void {
    const { roster, timings, log } = this.#options;
    // One at a time: when everybody reports everybody, or has the same disk, removing all would help nobody.
    if ([...roster.isolated.values()].some((other) => other.cause === cause)) return;
    const why = cause === 'hungDisk' ? 'its disk hangs' : `${count} nodes cannot reach it`;
    const forMs = cause === 'hungDisk' ? this.#nextForMs(id) : timings.isolationMs;
    log('warn', `node ${id}: ${why}; taking it off its slots, for ${forMs / 1000} s longer than that`);
    roster.isolated.set(id, { cause, forMs, untilMs: this.#runningMs + forMs });
  }

  #nextForMs(id: number): number {
    const { isolationMs, isolationMsMax } = this.#options.timings;
    const latest = this.#hungDisks.get(id);
    const forMs = latest === undefined ? isolationMs : Math.min(isolationMsMax, latest.forMs * 2);
    this.#hungDisks.set(id, { forMs, latestMs: this.#runningMs });
    return forMs;
  }

  #forgive(): void {
    const { roster, timings } = this.#options;
    for (const [id, hungDisk] of this.#hungDisks) {
      if (roster.isolated.get(id)?.cause === 'hungDisk') hungDisk.latestMs = this.#runningMs;
      else if (this.#runningMs - hungDisk.latestMs >= timings.isolationMsMax) this.#hungDisks.delete(id);
    }
  }
}
