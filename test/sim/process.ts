/**
 * One life of one process: its own clock (rate and offset of its own), its connections, and whether it runs, is
 * stopped (everything that comes in waits, its clock goes on) or is dead.
 */
import type { Message } from '../../src/protocol/messages.js';
import type { End } from './network.js';
import type { World } from './world.js';

/** What came while the process stood still; on a connection, or not. */
interface Waiting {
  readonly end: End | null;
  readonly run: () => void;
}

export abstract class SimProcess {
  readonly world: World;
  /** Unique among all lives of all processes. */
  readonly pid: number;
  abstract readonly name: string;
  readonly isNode: boolean = false;
  alive = true;
  paused = false;
  /** Messages it sends are slow until that time. */
  slowUntilMs = 0;
  readonly ends = new Set<End>();
  readonly #inbox: Waiting[] = [];
  readonly #rate: number;
  #offsetMs: number;
  #pauses = 0;
  /** Virtual time since which its host sleeps; null: it does not. */
  #suspendedAtMs: number | null = null;

  constructor(world: World) {
    this.world = world;
    this.pid = world.nextPid();
    // Two clocks then differ by less than `clockDriftRatio`, which leases are to survive.
    this.#rate = 1 + world.prng.between(-0.009, 0.009);
    this.#offsetMs = world.prng.int(0, 1_000_000);
  }

  /** Of the node that it is at present; 0: it is no node, or has no identity. */
  abstract incarnation(): number;

  /** Its own monotonic clock. */
  nowMs(): number {
    return this.#offsetMs + this.world.queue.nowMs * this.#rate;
  }

  /** Handles something now, or when it runs again. */
  post(run: () => void, end: End | null = null): void {
    if (!this.alive) return;
    if (this.paused) this.#inbox.push({ end, run });
    else run();
  }

  startTicking(): void {
    const { queue, plan, prng } = this.world;
    const tick = (): void => {
      if (!this.alive) return;
      if (!this.paused) this.tick();
      queue.after(plan.tickMs, tick);
    };
    queue.after(prng.between(0, plan.tickMs), tick);
  }

  pause(forMs: number): void {
    if (!this.alive || this.paused) return;
    this.paused = true;
    const serial = ++this.#pauses;
    const { queue, plan, prng } = this.world;
    queue.after(forMs, () => {
      if (this.#pauses === serial) this.resume();
    });
    queue.after(plan.silenceMs, () => {
      if (!this.paused || this.#pauses !== serial) return;
      this.world.coverage.note('silenceClosed');
      for (const end of [...this.ends])
        if (prng.chance(0.8)) {
          end.far.owner.post(() => {
            this.#giveUp(end.far);
          });
        }
    });
  }

  /** Its host sleeps: a pause for which its monotonic clock stands still. */
  suspend(forMs: number): void {
    if (!this.alive || this.paused) return;
    this.world.coverage.note('hostSlept');
    this.pause(forMs);
    this.#suspendedAtMs = this.world.queue.nowMs;
  }

  get isSuspended(): boolean {
    return this.#suspendedAtMs !== null;
  }

  /** Its clocks say so, before anything is handled. */
  protected onSuspended(_forMs: number): void {
    // Whoever holds nothing by time has nothing to give up.
  }

  #giveUp(end: End): void {
    if (!end.open) return;
    end.noticeClosed();
    end.conn.transmit(end, () => {
      end.far.noticeClosed();
    });
  }

  /** What came in meanwhile is handled in one go, before or after the timers that are due. */
  resume(): void {
    if (!this.paused || !this.alive) return;
    this.paused = false;
    this.#pauses++;
    if (this.#suspendedAtMs !== null) {
      const forMs = (this.world.queue.nowMs - this.#suspendedAtMs) * this.#rate;
      this.#offsetMs -= forMs;
      this.#suspendedAtMs = null;
      this.onSuspended(forMs);
    }
    if (this.world.prng.chance(0.5)) this.tick();
    for (const { end, run } of this.world.ambushes.inAnyOrder(this.#inbox.splice(0))) this.post(run, end);
  }

  /** kill -9. What it sent may still arrive, or not; then the other ends see the reset. */
  crash(): void {
    if (!this.alive) return;
    this.alive = false;
    this.paused = false;
    this.#inbox.length = 0;
    const { prng } = this.world;
    for (const end of [...this.ends]) {
      if (prng.chance(0.5)) {
        end.conn.break();
        continue;
      }
      const { far } = end;
      end.open = false;
      end.conn.transmit(end, () => {
        far.noticeClosed();
      });
    }
    this.ends.clear();
  }

  abstract tick(): void;
  abstract receive(end: End, message: Message): void;
  abstract onEndAccepted(end: End): void;
  abstract onEndClosed(end: End): void;
}
