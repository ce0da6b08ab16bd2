/**
 * What clients have sent of requests that are not complete yet. It waits in memory for the rest, and a bound for each connection is
 * not enough: a thousand of them, on each of which nearly all of a large value has come, and then a byte now and then, would take
 * more memory than there is.
 *
 * Beyond the room that there is, senders are cut off until the rest fits: each time the one whose request has come at the lowest pace,
 * of those that hold half an average share or more. Not the one that has been at it for the longest: of many on equally slow lines that would
 * always be the one which is about to be done, and none ever were.
 */
import { monotonicMs } from './real-time.js';
import { bytesMaxDefault, spareRatio } from './slow-clients.js';
import type { RoomForClients, SlowClient } from './slow-clients.js';

interface Begun {
  readonly sinceMs: number;
  bytes: number;
}

export class SlowSenders {
  readonly #room: RoomForClients;
  readonly #nowMs: () => number;
  readonly #begun = new Map<SlowClient, Begun>();
  #bytes = 0;

  constructor(room: RoomForClients = () => bytesMaxDefault, nowMs: () => number = monotonicMs) {
    this.#room = room;
    this.#nowMs = nowMs;
  }

  /** So many bytes are held for the request that it has begun; 0: that is complete, or dropped. */
  note(sender: SlowClient, bytes: number): void {
    const known = this.#begun.get(sender);
    const grown = bytes - (known?.bytes ?? 0);
    this.#bytes += grown;
    if (bytes === 0) this.#begun.delete(sender);
    else if (known !== undefined) known.bytes = bytes;
    else this.#begun.set(sender, { sinceMs: this.#nowMs(), bytes });
    if (grown <= 0) return;
    const room = this.#room(this.#bytes, grown);
    while (this.#bytes > room) this.#cutOff(this.#slowest());
  }

  #slowest(): SlowClient | undefined {
    const nowMs = this.#nowMs();
    const spareBytes = (this.#bytes / this.#begun.size) * spareRatio;
    let slowest: SlowClient | undefined;
    let lowest = Infinity;
    for (const [sender, { sinceMs, bytes }] of this.#begun) {
      if (bytes < spareBytes) continue;
      const pace = bytes / Math.max(1, nowMs - sinceMs);
      if (pace > lowest) continue;
      lowest = pace;
      slowest = sender;
    }
    return slowest;
  }

  #cutOff(sender: SlowClient | undefined): void {
    if (sender === undefined) throw new Error('nobody has sent what is held');
    const all = `${this.#bytes} bytes of requests wait for their ends, from ${this.#begun.size} clients`;
    const bytes = this.#begun.get(sender)?.bytes ?? 0;
    this.note(sender, 0);
    sender.destroy(`${sender.remote} sends too slowly: ${all}, ${bytes} from this one`, 'overflow');
  }
}
