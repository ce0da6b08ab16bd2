/**
 * Requests that walk through keys take turns, so that reads, writes and the lease go on however many there are. In one turn of the
 * event loop a node does a bounded amount for all of them together. What is left waits for the next turn, one request of
 * each connection after the other: not with whoever asks, who would ask again at once.
 */
import type {
  CopyMessage,
  DifferenceMessage,
  DigestAskMessage,
  Link,
  ScanMessage,
} from '../../protocol/messages.js';

export type WalkRequest = CopyMessage | DigestAskMessage | DifferenceMessage | ScanMessage;

interface Waiting {
  readonly link: Link;
  readonly message: WalkRequest;
}

/** What a turn may cost, and the last of its requests more: in records looked at, of which a node manages some thousand in a millisecond. */
const turnStepsMax = 8192;
/** More than a client lists at once; a learner has 32 questions under way. */
const waitingPerLinkMax = 4096;
/** Of all connections together; beyond, each that is no node's may have its share. */
const waitingMax = 65_536;
/** Of prefixes and digests in all requests that wait. */
const waitingBytesMax = 64 * 1024 * 1024;

export interface WalkTurnsOptions {
  /** Has it called in the next turn of the event loop. */
  readonly nextTurn: (work: () => void) => void;
  readonly answer: (link: Link, message: WalkRequest) => void;
  /** There is no room for it to wait in. */
  readonly refuse: (link: Link, message: WalkRequest) => void;
}

export class WalkTurns {
  readonly #options: WalkTurnsOptions;
  /** Of each connection its own, whoever is next first; none is empty. */
  readonly #waiting = new Map<number, Waiting[]>();
  #waitingBytes = 0;
  #waitingCount = 0;
  #stepsLeft = turnStepsMax;
  #isTurnWanted = false;

  constructor(options: WalkTurnsOptions) {
    this.#options = options;
  }

  /** Has it answered: now, if nobody waits and this turn allows. */
  onRequest(link: Link, message: WalkRequest): void {
    if (this.#waiting.size === 0 && this.#stepsLeft > 0) this.#options.answer(link, message);
    else if (!this.#wait(link, message)) this.#options.refuse(link, message);
  }

  #countMax({ isOfNode }: Link): number {
    if (isOfNode || this.#waitingCount < waitingMax) return waitingPerLinkMax;
    return Math.max(1, Math.floor(waitingMax / this.#waiting.size));
  }

  /** Of an answer: what it has cost. */
  spend(steps: number): void {
    this.#stepsLeft -= steps;
    this.#wantTurn();
  }

  #wait(link: Link, message: WalkRequest): boolean {
    const bytes = bytesOf(message);
    const queue = this.#waiting.get(link.id) ?? [];
    if (queue.length >= this.#countMax(link) || this.#waitingBytes + bytes > waitingBytesMax) return false;
    this.#waitingBytes += bytes;
    this.#waitingCount++;
    queue.push({ link, message });
    this.#waiting.set(link.id, queue);
    return true;
  }

  #wantTurn(): void {
    if (this.#isTurnWanted) return;
    this.#isTurnWanted = true;
    this.#options.nextTurn(this.#turn);
  }

  readonly #turn = (): void => {
    this.#isTurnWanted = false;
    this.#stepsLeft = turnStepsMax;
    while (this.#stepsLeft > 0) {
      const next = this.#next();
      if (next === undefined) return;
      this.#options.answer(next.link, next.message);
    }
  };

  /** Its connection is the last one then. */
  #next(): Waiting | undefined {
    for (const [linkId, queue] of this.#waiting) {
      const next = queue.shift();
      this.#waiting.delete(linkId);
      if (queue.length > 0) this.#waiting.set(linkId, queue);
      if (next !== undefined) this.#forget(next);
      return next;
    }
    return undefined;
  }

  onLinkClosed(link: Link): void {
    for (const each of this.#waiting.get(link.id) ?? []) this.#forget(each);
    this.#waiting.delete(link.id);
  }

  #forget({ message }: Waiting): void {
    this.#waitingCount--;
    this.#waitingBytes -= bytesOf(message);
  }
}

function bytesOf(message: WalkRequest): number {
  if ('prefix' in message) return message.prefix.length;
  return 'known' in message ? message.known.length + message.wanted.length : 0;
}
