/**
 * An interval timer for whoever looks at deadlines: it acts after the poll phase of its loop turn.
 *
 * A process that was stopped (SIGSTOP, a paused virtual machine, a long loop turn) finds its timers due before anything
 * that has come meanwhile is read, and would take its own absence for the silence of others. After the poll phase what
 * lay in its sockets has been handled.
 */
import { clearInterval, setImmediate, setInterval } from './real-time.js';

export class AfterPollTimer {
  readonly #timer: NodeJS.Timeout;
  #isOver = false;

  constructor(ms: number, act: () => void) {
    this.#timer = setInterval(() => {
      setImmediate(() => {
        if (!this.#isOver) act();
      });
    }, ms);
  }

  /** It keeps no process alive. */
  unref(): this {
    this.#timer.unref();
    return this;
  }

  stop(): void {
    this.#isOver = true;
    clearInterval(this.#timer);
  }
}
