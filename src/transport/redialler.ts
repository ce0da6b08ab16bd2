/**
 * Keeps one connection to an address: dials until there is one, and again when it is lost.
 *
 * The wait between attempts doubles from `backoffMsMin` to `backoffMsMax`, and is cut by a random share of up to a
 * half, so that peers of one that comes back do not all come at the same moment. A connection that lasted longer
 * than `backoffMsMax` starts the wait over; one that is accepted and dropped at once does not.
 */
import type { GTStoreError } from '../protocol/errors.js';
import type { HelloMessage } from '../protocol/messages.js';
import type { CloseReason } from './close-reason.js';
import type { Connection } from './connection.js';
import { dial } from './dialer.js';
import type { DialOptions } from './dialer.js';
import { clearTimeout, monotonicMs, setTimeout } from './real-time.js';

export interface RediallerOptions extends Omit<DialOptions, 'hello' | 'signal'> {
  /** Asked for before each attempt: who dials may have learnt something since. */
  readonly hello: () => HelloMessage;
  /** There is a connection. Its first messages have not been lost: they went to `handlers`. */
  readonly onUp?: (connection: Connection) => void;
  /** It ended. The next attempt is on its way, unless `stop` was the reason. */
  readonly onDown?: (reason: CloseReason) => void;
  /** An attempt failed; `attempts` since the last success. */
  readonly onDialFailed?: (error: GTStoreError, attempts: number) => void;
  /** Default 10. */
  readonly backoffMsMin?: number;
  /** Default 1000. */
  readonly backoffMsMax?: number;
  /** From 0 up to 1; default Math.random. */
  readonly random?: () => number;
}

export class Redialler {
  private readonly options: RediallerOptions;
  private readonly backoffMsMin: number;
  private readonly backoffMsMax: number;
  private readonly random: () => number;
  private current: Connection | undefined;
  private dialling: AbortController | undefined;
  private timer: NodeJS.Timeout | undefined;
  private attempts = 0;
  private waitMs: number;
  private upAtMs = 0;
  private stopped = false;

  /** Dials at once. */
  constructor(options: RediallerOptions) {
    this.options = options;
    this.backoffMsMin = options.backoffMsMin ?? 10;
    this.backoffMsMax = options.backoffMsMax ?? 1000;
    this.random = options.random ?? Math.random;
    this.waitMs = this.backoffMsMin;
    this.dial();
  }

  /** The connection, while there is one. */
  get connection(): Connection | undefined {
    return this.current?.isOpen === true ? this.current : undefined;
  }

  /** Dials now, without waiting for the back-off to pass. No effect while connected or dialling. */
  kick(): void {
    if (this.timer === undefined) return;
    this.dial();
  }

  /** Ends the connection in good order and dials no more. */
  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.dialling?.abort();
    this.current?.close();
  }

  private dial(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.dialling = new AbortController();
    dial({ ...this.options, hello: this.options.hello(), signal: this.dialling.signal }).then(
      (connection) => {
        this.up(connection);
      },
      (error: unknown) => {
        this.dialling = undefined;
        if (this.stopped) return;
        this.attempts++;
        // First, so that it is done whatever they throw who are told.
        this.dialLater();
        this.options.onDialFailed?.(error as GTStoreError, this.attempts);
      },
    );
  }

  private up(connection: Connection): void {
    this.dialling = undefined;
    if (this.stopped) {
      connection.close();
      return;
    }
    this.current = connection;
    this.attempts = 0;
    this.upAtMs = monotonicMs();
    connection.onceClosed((reason) => {
      this.current = undefined;
      if (monotonicMs() - this.upAtMs > this.backoffMsMax) this.waitMs = this.backoffMsMin;
      this.dialLater();
      this.options.onDown?.(reason);
    });
    this.options.onUp?.(connection);
  }

  private dialLater(): void {
    if (this.stopped) return;
    const waitMs = this.waitMs * (1 - this.random() / 2);
    this.waitMs = Math.min(2 * this.waitMs, this.backoffMsMax);
    this.timer = setTimeout(() => {
      this.dial();
    }, waitMs);
  }
}
