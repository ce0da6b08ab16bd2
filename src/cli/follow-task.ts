/**
 * Follows a task of the manager until it has ended. The task goes on by itself: whoever follows may go, and the manager
 * too; it takes its tasks up again when it comes back.
 */
import type { TaskProgress } from '../protocol/admin.js';
import { codeOf } from './exit.js';

export interface Following {
  readonly task: TaskProgress['task'];
  /** How far the manager's task is; null: there is none. */
  progress(): Promise<TaskProgress | null>;
  /** Every state that is met, the last one included. */
  show(progress: TaskProgress): void;
  /** A line about the following itself. */
  note(text: string): void;
  /** Follow no more. */
  isStopped(): boolean;
  nowMs(): number;
  random(): number;
  /** Fulfilled after that time, or when it is stopped. */
  pause(ms: number): Promise<void>;
}

const pollMs = 200;
const backoffMsMax = 5000;
/** A manager that is away for longer does not come back by itself. */
export const awayMsMax = 60_000;

/**
 * @param begun - what the manager said when it began
 * @returns whether it has ended, well or not; false: the following was given up
 * @throws Error if the manager is away for too long, or what it said makes no sense
 */
export async function followTask(following: Following, begun: TaskProgress | null): Promise<boolean> {
  const { task } = following;
  let last: TaskProgress = begun ?? {
    task,
    state: 'running',
    done: 0,
    total: 0,
    bytesDone: 0,
    bytesTotal: 0,
  };
  const patience = new Patience(following);
  while (last.state === 'running') {
    if (last.total > 0) following.show(last);
    await following.pause(patience.pauseMs);
    if (following.isStopped()) return false;
    let next: TaskProgress | null;
    try {
      next = await following.progress();
    } catch (error) {
      patience.onFailure(error);
      continue;
    }
    if (following.isStopped()) return false;
    patience.onAnswer();
    // Nothing under way, or something that was begun since: ours is over.
    last =
      next?.task === task ? next : { ...last, state: 'done', done: last.total, bytesDone: last.bytesTotal };
  }
  following.show(last);
  return true;
}

/** How long to wait for a manager that does not answer. */
class Patience {
  pauseMs = pollMs;
  readonly #following: Following;
  #failures = 0;
  #heardAtMs: number;

  constructor(following: Following) {
    this.#following = following;
    this.#heardAtMs = following.nowMs();
  }

  /** @throws Error if it is over, or if the failure is another one */
  onFailure(error: unknown): void {
    const code = codeOf(error);
    if (code !== 'UNAVAILABLE' && code !== 'TIMEOUT') throw error;
    const following = this.#following;
    if (this.#failures++ === 0) {
      following.note(
        `the manager does not answer; trying for ${awayMsMax / 1000} s, the task goes on when it is back`,
      );
    }
    if (following.nowMs() - this.#heardAtMs > awayMsMax) {
      throw new Error(
        `the manager has not answered for ${awayMsMax / 1000} s; the task goes on when it is back: see gtstore status`,
        { cause: error },
      );
    }
    this.pauseMs =
      Math.min(backoffMsMax, pollMs * 2 ** Math.min(this.#failures, 10)) * (0.5 + following.random() / 2);
  }

  onAnswer(): void {
    if (this.#failures > 0) this.#following.note('the manager is back');
    this.#failures = 0;
    this.#heardAtMs = this.#following.nowMs();
    this.pauseMs = pollMs;
  }
}
