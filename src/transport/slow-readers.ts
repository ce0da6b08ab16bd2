/**
 * What waits in this process for all clients together that do not read as fast as they are answered. A bound for each connection is
 * not enough: a thousand of them, each of which asks for one large value and reads nothing, would take more memory than there is.
 *
 * Beyond the room that there is, readers are cut off until the rest fits: each time the one that has been behind for the longest,
 * of those that take half an average share or more. (Of a whole one only whoever has just been given a larger answer than all others may
 * have that much.) Who reads as fast as he can has caught up a moment later, and may ask again.
 *
 * The system lets go of what it was given for a reader only when this turn of the loop is over. So nobody's requests are looked at any more
 * in a turn in which one has been cut off, and after it they go on one client after the other, until the next one is.
 */
import { setImmediate } from './real-time.js';
import { bytesMaxDefault, spareRatio } from './slow-clients.js';
import type { RoomForClients, SlowClient } from './slow-clients.js';

export interface SlowReader extends SlowClient {
  /** Goes on with the requests that were held back, and sends what that brings about. */
  goOn(): void;
}

export class SlowReaders {
  readonly #room: RoomForClients;
  /** What waits for each, that which has been behind for the longest first. */
  readonly #waiting = new Map<SlowReader, number>();
  #bytes = 0;
  #isPressed = false;
  #heldBack: SlowReader[] = [];

  constructor(room: RoomForClients = () => bytesMaxDefault) {
    this.#room = room;
  }

  /** So many bytes wait for it, that the system has not taken; 0: it has caught up, or is gone. */
  note(reader: SlowReader, bytes: number): void {
    const grown = bytes - (this.#waiting.get(reader) ?? 0);
    this.#bytes += grown;
    if (bytes === 0) this.#waiting.delete(reader);
    else this.#waiting.set(reader, bytes);
    if (grown <= 0) return;
    const room = this.#room(this.#bytes, grown);
    while (this.#bytes > room) this.#cutOffOne();
  }

  /** Whoever has requests now is to hold them back. */
  get isPressed(): boolean {
    return this.#isPressed;
  }

  /** It does, and is told when to go on. */
  holdsBack(reader: SlowReader): void {
    this.#heldBack.push(reader);
  }

  readonly #goOn = (): void => {
    this.#isPressed = false;
    const heldBack = this.#heldBack;
    let count = 0;
    // Not the field: the answer to one of them may cut one off.
    while (count < heldBack.length && !this.isPressed) heldBack[count++]?.goOn();
    this.#heldBack = heldBack.slice(count);
  };

  #cutOffOne(): void {
    // Not with the next immediate: that comes before the system lets go.
    if (!this.#isPressed) setImmediate(() => setImmediate(this.#goOn));
    this.#isPressed = true;
    const spareBytes = (this.#bytes / this.#waiting.size) * spareRatio;
    for (const [reader, bytes] of this.#waiting) {
      if (bytes < spareBytes) continue;
      const all = `${this.#bytes} bytes wait for ${this.#waiting.size} clients`;
      this.note(reader, 0);
      reader.destroy(`${reader.remote} reads too slowly: ${all}, ${bytes} for this one`, 'overflow');
      return;
    }
  }
}
