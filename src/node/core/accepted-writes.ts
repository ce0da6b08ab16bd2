/**
 * Which write each request id of a connection stands for, so that a VALIDATE need only name the request (PROTOCOL W9):
 * no key to send, to read and to look up again.
 *
 * A request id has a place by its low bits, and every WRITE of the connection takes its place, accepted or not: so an
 * id that comes round again never finds what it stood for before. A client gives the ids of the operations it has
 * under way distinct low bits; where two writes do share a place the older one's VALIDATE is lost, and the key is
 * settled by a replay (R3) as if its client had died.
 */
import type { Link, WriteMessage } from '../../protocol/messages.js';
import type { PlainFrame } from '../../protocol/plain-frame.js';
import type { MutableVersion, Version } from '../../protocol/version.js';
import { noRecord } from './store.js';
import type { KeyStore, RecordId } from './store.js';

const placeMask = (1 << 14) - 1;
const noPlaces = new Float64Array(0);

/**
 * The numbers of a place: the request id; the record, `noRecord` if it was not accepted or is validated already; and the
 * version. They lie side by side in one array, to be one or two lines of the processor's cache and nothing to the
 * collector.
 *
 * The record is not held: a number that has been given to another record, whatever it is, comes with other versions, before and
 * now, since no two writes have the same.
 */
const placeNumbers = 6;
const placesMin = 64;

type Places = Float64Array;

export class AcceptedWrites {
  readonly #store: KeyStore;
  /** By id of the connection. */
  readonly #byLink = new Map<number, Places>();
  /** Most messages come on the connection that the one before came on. */
  #lastLink: Link | null = null;
  #lastPlaces: Places = noPlaces;
  readonly #takenVersion: MutableVersion = { hlc: 0, clientId: 0, seq: 0, epoch: 0 };

  constructor(store: KeyStore) {
    this.#store = store;
  }

  /** This WRITE was accepted, and its version is that of the record; `noRecord`: it was not accepted. */
  note(link: Link, { rid, version }: WriteMessage, record: RecordId): void {
    this.#note(link, rid, record, version.hlc, version.clientId, version.seq, version.epoch);
  }

  /** This plain WRITE was accepted. */
  notePlain(link: Link, { rid, hlc, clientId }: PlainFrame, record: RecordId): void {
    this.#note(link, rid, record, hlc, clientId, 0, 0);
  }

  #note(
    link: Link,
    rid: number,
    record: RecordId,
    hlc: number,
    clientId: number,
    seq: number,
    epoch: number,
  ): void {
    let places = this.#placesOf(link);
    const at = (rid & placeMask) * placeNumbers;
    if (at >= places.length) {
      if (record === noRecord) return;
      places = this.#grow(link, places, at);
    }
    places[at] = rid;
    places[at + 1] = record;
    places[at + 2] = hlc;
    places[at + 3] = clientId;
    places[at + 4] = seq;
    places[at + 5] = epoch;
  }

  /**
   * Makes VALID what that request wrote, if it was plain and there is nothing more to it; if it is not known, there is nothing to do.
   * False: `take` it.
   */
  validatePlain(link: Link, rid: number): boolean {
    const places = this.#placesOf(link);
    const at = (rid & placeMask) * placeNumbers;
    const record = recordOf(places, at, rid);
    if (record === noRecord) return true;
    if (places[at + 4] !== 0 || places[at + 5] !== 0) return false;
    if (!this.#store.validatePlain(record, places[at + 2] ?? 0, places[at + 3] ?? 0)) return false;
    places[at + 1] = noRecord;
    return true;
  }

  /**
   * The record that took the write of this request, if there still is one of its number, else `noRecord`; each write is given out
   * once. Only a record that has, or had, its `takenVersion` is surely the same.
   */
  take(link: Link, rid: number): RecordId {
    const places = this.#placesOf(link);
    const at = (rid & placeMask) * placeNumbers;
    const record = recordOf(places, at, rid);
    if (record === noRecord) return noRecord;
    places[at + 1] = noRecord;
    const version = this.#takenVersion;
    version.hlc = places[at + 2] ?? 0;
    version.clientId = places[at + 3] ?? 0;
    version.seq = places[at + 4] ?? 0;
    version.epoch = places[at + 5] ?? 0;
    return this.#store.exists(record) ? record : noRecord;
  }

  /** Of the write that was taken last. */
  get takenVersion(): Version {
    return this.#takenVersion;
  }

  /** Room for the place at `at`. */
  #grow(link: Link, places: Places, at: number): Places {
    const length = Math.max(placesMin * placeNumbers, 2 * places.length, at + placeNumbers);
    const grown = new Float64Array(length);
    grown.set(places);
    this.#byLink.set(link.id, grown);
    return (this.#lastPlaces = grown);
  }

  #placesOf(link: Link): Places {
    if (this.#lastLink === link) return this.#lastPlaces;
    this.#lastLink = link;
    return (this.#lastPlaces = this.#byLink.get(link.id) ?? noPlaces);
  }

  onLinkClosed(link: Link): void {
    this.#byLink.delete(link.id);
    if (this.#lastLink === link) this.#lastLink = null;
  }
}

/** What the place at `at` holds of that request. */
function recordOf(places: Places, at: number, rid: number): RecordId {
  return places[at] === rid ? (places[at + 1] ?? noRecord) : noRecord;
}
