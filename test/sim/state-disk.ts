/**
 * The manager's way to its disk, as the shell has it (state-writer.ts): one state at a time, and while the disk is full a failure after
 * the other. Of some schedules only; in the others every state is saved, in its time, so that seeds keep their meaning.
 */
import { StateQueue } from '../../src/manager/core/state-queue.js';
import type { ManagerState } from '../../src/manager/core/state.js';
import type { World } from './world.js';

const retryMs = 20;

/** Of one life of the manager. */
export class StateDisk {
  readonly #world: World;
  readonly #queue = new StateQueue();
  /** Hands the news to the process, when it runs. */
  readonly #post: (run: () => void) => void;
  readonly #onSaved: (serial: number) => void;
  #writing: ManagerState | null = null;
  #isDead = false;

  constructor(world: World, post: (run: () => void) => void, onSaved: (serial: number) => void) {
    this.#world = world;
    this.#post = post;
    this.#onSaved = onSaved;
  }

  persist(state: ManagerState): void {
    if (this.#queue.offer(state)) this.#write();
  }

  #write(): void {
    const state = this.#queue.begin();
    this.#writing = state;
    if (state === null) return;
    const { queue, prng, plan, calm, stateDiskTrouble } = this.#world;
    const isSlow = !calm && queue.nowMs < stateDiskTrouble.slowUntilMs;
    const tookMs = prng.around(plan.persistMs) + (isSlow ? prng.between(0, plan.settings.leaseMs) : 0);
    queue.after(tookMs, () => {
      if (!this.#isDead) this.#ended(state);
    });
  }

  #ended(state: ManagerState): void {
    const { queue, calm, coverage, stateDiskTrouble } = this.#world;
    this.#writing = null;
    const isFull = !calm && queue.nowMs < stateDiskTrouble.fullUntilMs;
    if (!isFull) this.#world.disk = state;
    this.#post(() => {
      if (isFull) {
        coverage.note('stateNotSaved');
        this.#queue.failed();
        queue.after(retryMs, () => {
          this.#post(() => {
            this.#write();
          });
        });
      } else {
        this.#onSaved(state.serial);
        this.#write();
      }
    });
  }

  /** What was being written is on the disk, or it is not. */
  crash(): void {
    const { queue, prng, coverage, stateDiskTrouble } = this.#world;
    this.#isDead = true;
    if (this.#writing === null) return;
    const isSaved = queue.nowMs >= stateDiskTrouble.fullUntilMs && prng.chance(0.5);
    if (isSaved) this.#world.disk = this.#writing;
    else coverage.note('managerLostState');
  }
}
