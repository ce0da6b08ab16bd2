/**
 * Walks through the keys of a slot in bounded batches: for a learner that copies the slot (M5), and for a client
 * that lists keys. A walk is kept per connection; it ends with its last batch or its connection, and what a
 * connection may keep is bounded. Between two batches reads and writes go on as ever, and all walks share what a turn of the
 * event loop leaves for them (walk-turns.ts); keys that come or change meanwhile reach a learner as WRITEs of their own.
 */
import { ProtocolError } from '../../protocol/errors.js';
import { FencedReason, MessageType } from '../../protocol/messages.js';
import type {
  CopyMessage,
  DifferenceMessage,
  DigestAskMessage,
  Entry,
  Link,
  ScanMessage,
} from '../../protocol/messages.js';
import { Role } from './membership.js';
import type { Membership } from './membership.js';
import type { NodePorts } from './ports.js';
import type { Replica } from './replica.js';
import { BucketDigests, bucketOf, bucketsFor, EntryDigest, hasBit, KnownEntries } from './slot-digest.js';
import { noRecord } from './store.js';
import type { RecordId, RecordWalk } from './store.js';
import { WalkTurns } from './walk-turns.js';
import type { WalkRequest } from './walk-turns.js';

interface BatchLimits {
  readonly entries: number;
  readonly bytes: number;
}
/** Somebody waits for it. */
const scanLimits: BatchLimits = { entries: 512, bytes: 128 * 1024 };
/** Reads and writes wait meanwhile, at both ends, and several slots are copied at once: a fraction of a millisecond. */
const copyLimits: BatchLimits = { entries: 128, bytes: 32 * 1024 };
/** Records looked at per batch, so that a prefix that matches nothing does not hold up the node. */
const batchStepsMax = 4096;
/** The same where each is summed up: about a millisecond. */
const digestStepsMax = 1024;
/** What is more than looking at a record, counted in such looks: a request, to sum a record up, an entry, some bytes of a value. */
const requestSteps = 16;
const sumSteps = 4;
const entrySteps = 8;
const bytesPerStep = 256;
/** Without digests a walk is a few hundred bytes, and a client may list keys many times at once. */
const walksPerLinkMax = 1024;
/** Of all connections together; beyond, each that is no node's may keep its share. */
const walksMax = 65_536;
/**
 * Of digests. A learner has up to 32 questions under way: there is room for as many slots, of whatever size, and eighty thousand
 * known keys in each. Where there are more, the first ones are begun anew.
 */
const digestBytesPerLinkMax = 32 * 1024 * 1024;
const noBytes = new Uint8Array(0);

interface Walk {
  readonly name: string;
  readonly slot: number;
  readonly records: RecordWalk;
  /** Of a DIGEST_ASK: summed up so far. */
  readonly digests: BucketDigests | null;
  /** Of a DIFFERENCE: what the learner has, and the buckets it asks for. */
  readonly filter: Filter | null;
  /** What digests and filter hold. */
  readonly bytes: number;
}

interface Filter {
  readonly buckets: number;
  readonly wanted: Uint8Array;
  readonly known: KnownEntries;
}

/**
 * For one more. Whoever has begun `countMax` has left the first ones alone: a caller may stop listing half-way.
 * @returns how many were given up
 */
function makeRoom(walks: Map<string, Walk>, bytes: number, countMax: number): number {
  const { size } = walks;
  for (const walk of walks.values()) bytes += walk.bytes;
  for (const [name, walk] of walks) {
    const isCrowded = walks.size >= countMax;
    if (!isCrowded && bytes <= digestBytesPerLinkMax) break;
    if (!isCrowded && walk.bytes === 0) continue;
    walks.delete(name);
    bytes -= walk.bytes;
  }
  return size - walks.size;
}

export class Walks {
  readonly #membership: Membership;
  readonly #replica: Replica;
  readonly #mapWanted: () => void;
  readonly #entry = new EntryDigest();
  readonly #byLink = new Map<number, Map<string, Walk>>();
  /** Of all connections. */
  #count = 0;
  readonly #turns: WalkTurns;

  constructor(
    membership: Membership,
    replica: Replica,
    mapWanted: () => void,
    nextTurn: NodePorts['nextTurn'],
  ) {
    this.#membership = membership;
    this.#replica = replica;
    this.#mapWanted = mapWanted;
    this.#turns = new WalkTurns({
      nextTurn,
      answer: (link, message) => {
        this.#answer(link, message);
      },
      // As where a walk was given up: it begins anew, a little later.
      refuse: (link, { rid }) => {
        this.#replica.fence(link, rid, FencedReason.notReplica);
      },
    });
  }

  /** @throws ProtocolError if it is for nodes only, and whoever asks is none */
  onRequest(link: Link, message: WalkRequest): void {
    if (message.type !== MessageType.scan && !link.isOfNode)
      throw new ProtocolError('only a node may copy a slot');
    this.#turns.onRequest(link, message);
  }

  #answer(link: Link, message: WalkRequest): void {
    this.#turns.spend(requestSteps);
    switch (message.type) {
      case MessageType.copy:
        this.#onCopy(link, message);
        return;
      case MessageType.digestAsk:
        this.#onDigestAsk(link, message);
        return;
      case MessageType.difference:
        this.#onDifference(link, message);
        return;
      case MessageType.scan:
        this.#onScan(link, message);
        return;
    }
  }

  /** M5. */
  #onCopy(link: Link, message: CopyMessage): void {
    if (!this.#isCopied(link, message)) return;
    const walk = this.#walkOf(link, message, `copy ${message.slot} ${message.joinedAt}`);
    if (walk !== null) this.#sendBatch(link, message.rid, walk, MessageType.copyBatch, '');
  }

  /** D2: digests of a slot, summed up a bounded piece at a time. */
  #onDigestAsk(link: Link, message: DigestAskMessage): void {
    if (!this.#isCopied(link, message)) return;
    const { store } = this.#replica;
    const { rid, slot } = message;
    const digests = message.first ? new BucketDigests(bucketsFor(store.keysIn(slot))) : null;
    const walk = this.#walkOf(link, message, `digest ${slot} ${message.joinedAt}`, digests);
    const sums = walk?.digests ?? null;
    if (walk === null || sums === null) return;
    for (let steps = 0; steps < digestStepsMax; steps++) {
      const record = walk.records.next();
      if (record === noRecord) {
        this.#end(link, walk);
        const { buckets } = sums;
        link.send({ type: MessageType.digests, rid, done: true, buckets, digests: sums.toBytes() });
        return;
      }
      this.#entry.read(store, record);
      sums.add(this.#entry);
      this.#turns.spend(sumSteps);
    }
    link.send({ type: MessageType.digests, rid, done: false, buckets: 0, digests: noBytes });
  }

  /** D2: entries of the buckets asked for that the learner does not have. */
  #onDifference(link: Link, message: DifferenceMessage): void {
    if (!this.#isCopied(link, message)) return;
    const { rid, slot, buckets, wanted } = message;
    const filter = message.first
      ? { buckets: Math.max(1, buckets), wanted, known: new KnownEntries(message.known) }
      : null;
    const walk = this.#walkOf(link, message, `difference ${slot} ${message.joinedAt}`, null, filter);
    const known = walk?.filter?.known;
    if (walk === null || known === undefined) return;
    const entries: Entry[] = [];
    const done = this.#fill(walk, entries, false, '');
    if (!done || entries.length > 0) {
      // At the end it is asked once more.
      link.send({ type: MessageType.copyBatch, rid, entries, done: false });
      return;
    }
    this.#end(link, walk);
    link.send({ type: MessageType.differenceEnd, rid, missing: known.missing });
  }

  /** M5: served by a full replica that has itself adopted the epoch in which the learner joined. */
  #isCopied(link: Link, message: Pick<CopyMessage, 'rid' | 'slot' | 'joinedAt'>): boolean {
    if (message.joinedAt > this.#membership.epoch) {
      this.#mapWanted();
      this.#replica.fence(link, message.rid, FencedReason.behind);
      return false;
    }
    if (this.#membership.role(message.slot) !== Role.full) {
      this.#replica.fence(link, message.rid, FencedReason.notReplica);
      return false;
    }
    return true;
  }

  /** Committed values only; an INVALID key comes without value, and the client asks for it. */
  #onScan(link: Link, message: ScanMessage): void {
    const fault = this.#replica.serviceFault(message.slot);
    if (fault !== -1) {
      this.#replica.fence(link, message.rid, fault);
      return;
    }
    const walk = this.#walkOf(link, message, `scan ${message.scanId}`);
    if (walk !== null) this.#sendBatch(link, message.rid, walk, MessageType.scanBatch, message.prefix);
  }

  /** The walk that the message begins or goes on with; null: there is none, and the asker was told so. */
  #walkOf(
    link: Link,
    { rid, slot, first }: Pick<CopyMessage, 'rid' | 'slot' | 'first'>,
    name: string,
    digests: BucketDigests | null = null,
    filter: Filter | null = null,
  ): Walk | null {
    let walks = this.#byLink.get(link.id);
    if (walks === undefined) this.#byLink.set(link.id, (walks = new Map<string, Walk>()));
    if (first) {
      const bytes = (digests?.bytes ?? 0) + (filter === null ? 0 : filter.known.bytes + filter.wanted.length);
      // At the end, if it is begun anew: the first ones have been kept for longest.
      if (walks.delete(name)) this.#count--;
      this.#count += 1 - makeRoom(walks, bytes, this.#countMax(link));
      walks.set(name, { name, slot, records: this.#replica.store.walk(slot), digests, filter, bytes });
    }
    const walk = walks.get(name);
    if (walk?.slot === slot) return walk;
    // Unknown here: the connection is a new one, or the slot was lost in between. The asker begins anew.
    this.#replica.fence(link, rid, FencedReason.notReplica);
    return null;
  }

  #countMax({ isOfNode }: Link): number {
    if (isOfNode || this.#count < walksMax) return walksPerLinkMax;
    return Math.max(1, Math.floor(walksMax / this.#byLink.size));
  }

  #end(link: Link, { name }: Walk): void {
    if (this.#byLink.get(link.id)?.delete(name) === true) this.#count--;
  }

  #sendBatch(
    link: Link,
    rid: number,
    walk: Walk,
    type: typeof MessageType.copyBatch | typeof MessageType.scanBatch,
    prefix: string,
  ): void {
    const entries: Entry[] = [];
    const done = this.#fill(walk, entries, type === MessageType.scanBatch, prefix);
    if (done) this.#end(link, walk);
    link.send({ type, rid, entries, done });
  }

  /** @returns whether the walk is at its end. */
  #fill(walk: Walk, entries: Entry[], isScan: boolean, prefix: string): boolean {
    const { store } = this.#replica;
    const limits = isScan ? scanLimits : copyLimits;
    const stepsMax = walk.filter === null ? batchStepsMax : digestStepsMax;
    let bytes = 0;
    let steps = 0;
    let isAtEnd = false;
    while (steps < stepsMax && entries.length < limits.entries && bytes < limits.bytes) {
      const record = walk.records.next();
      isAtEnd = record === noRecord;
      if (isAtEnd) break;
      steps++;
      // First of all: of many keys few may have it.
      if (prefix !== '' && !store.keyOf(record).startsWith(prefix)) continue;
      if (isScan && store.isValid(record) && !this.#replica.isLive(record)) continue;
      if (walk.filter !== null && !this.#isUnknown(walk.filter, record)) continue;
      const entry = this.#entryOf(record, isScan);
      entries.push(entry);
      bytes += entry.key.length + (entry.value?.length ?? 0) + (entry.applied?.length ?? 0) * 8 + 64;
    }
    const eachSteps = walk.filter === null ? 1 : sumSteps;
    this.#turns.spend(steps * eachSteps + entries.length * entrySteps + Math.ceil(bytes / bytesPerStep));
    return isAtEnd;
  }

  #isUnknown({ buckets, wanted, known }: Filter, record: RecordId): boolean {
    const { store } = this.#replica;
    this.#entry.readKey(store, record);
    if (!hasBit(wanted, bucketOf(this.#entry, buckets))) return false;
    this.#entry.readRest(store, record);
    return !known.meet(this.#entry);
  }

  /** Its value is a view: the batch is to be sent before the store changes. */
  #entryOf(record: RecordId, isScan: boolean): Entry {
    const { store } = this.#replica;
    const valid = store.isValid(record);
    return {
      key: store.keyOf(record),
      version: store.versionOf(record),
      valid,
      value: isScan && !valid ? null : store.valueOf(record),
      expiresAtMs: store.expiresAtMs(record),
      applied: isScan ? null : store.appliedOf(record),
    };
  }

  onLinkClosed(link: Link): void {
    this.#turns.onLinkClosed(link);
    this.#count -= this.#byLink.get(link.id)?.size ?? 0;
    this.#byLink.delete(link.id);
  }

  /** The slot's records are gone from this node: its walks end. */
  onRoleLost(slot: number): void {
    for (const walks of this.#byLink.values()) {
      for (const [name, walk] of walks) if (walk.slot === slot && walks.delete(name)) this.#count--;
    }
  }
}
