/**
 * Ctrl-C, SIGTERM and a closed terminal ask for an orderly end; a second Ctrl-C for an end at once. The handlers are
 * in place from the beginning, so that a signal in the middle of start-up does not leave half a cluster behind.
 */
import { exitKilled, exitSurely } from './exit.js';

/**
 * One Ctrl-C may arrive twice: the terminal sends it to everyone, and npx passes its own on. What comes sooner than
 * a person could press again is taken for the same one.
 */
const sameKeyMsMax = 250;

export class StopRequest {
  /** Aborted when the end is asked for. */
  readonly signal: AbortSignal;
  /** Fulfilled with what asked for it. */
  readonly requested: Promise<string>;
  /** What must not be left behind at the end at once. */
  killAtOnce: () => void = () => undefined;
  /** Whether that can be done by now; until then a second Ctrl-C changes nothing. */
  mayKill: () => boolean = () => true;
  readonly #controller = new AbortController();
  readonly #resolve: (reason: string) => void;
  #interruptedAtMs = -Infinity;

  constructor() {
    this.signal = this.#controller.signal;
    let resolve: (reason: string) => void = () => undefined;
    this.requested = new Promise((fulfil) => {
      resolve = fulfil;
    });
    this.#resolve = resolve;
    process.on('SIGINT', () => {
      this.#onInterrupt();
    });
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        this.request(signal);
      });
    }
  }

  request(reason: string): void {
    this.#controller.abort();
    this.#resolve(reason);
  }

  #onInterrupt(): void {
    const nowMs = performance.now();
    if (!this.signal.aborted) {
      this.#interruptedAtMs = nowMs;
      this.request('SIGINT');
    } else if (nowMs - this.#interruptedAtMs > sameKeyMsMax && this.mayKill()) {
      this.killAtOnce();
      exitSurely(exitKilled);
    }
  }
}
