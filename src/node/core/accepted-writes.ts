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
import type { MutableVersion } from '../../protocol/version.js';
import { copyVersion } from '../../protocol/version.js';
import { noRecord } from './store.js';
import type { KeyStore, RecordId } from './store.js';

const placeMask = (1 << 14) - 1;

/**
 * Its record is not held: a number that has been given to another record, whatever it is, comes with another version,
 * since no two writes have the same.
 */
interface Place {
  rid: number;
  /** `noRecord`: not accepted, or validated already. */
  record: RecordId;
  readonly version: MutableVersion;
}

type Places = (Place | undefined)[];

export class AcceptedWrites {
  readonly #store: KeyStore;
  /** By id of the connection. */
  readonly #byLink = new Map<number, Places>();
  /** Most messages come on the connection that the one before came on. */
  #lastLink: Link | null = null;
  #lastPlaces: Places = [];

  constructor(store: KeyStore) {
    this.#store = store;
  }

  /** This WRITE was accepted, and its version is that of the record; `noRecord`: it was not accepted. */
  note(link: Link, { rid, version }: WriteMessage, record: RecordId): void {
    const places = this.#placesOf(link);
    const index = rid & placeMask;
    let place = places[index];
    if (place === undefined) {
      if (record === noRecord) return;
      while (places.length < index) places.push(undefined);
      place = places[index] = { rid, record, version: { hlc: 0, clientId: 0, seq: 0, epoch: 0 } };
    }
    place.rid = rid;
    place.record = record;
    copyVersion(version, place.version);
  }

  /** The record, if it still holds the write of this request, else `noRecord`; each write is given out once. */
  take(link: Link, rid: number): RecordId {
    const place = this.#placesOf(link)[rid & placeMask];
    if (place?.rid !== rid || place.record === noRecord) return noRecord;
    const { record, version } = place;
    place.record = noRecord;
    const isThere = this.#store.exists(record) && this.#store.compareVersion(version, record) === 0;
    return isThere ? record : noRecord;
  }

  #placesOf(link: Link): Places {
    if (this.#lastLink === link) return this.#lastPlaces;
    let places = this.#byLink.get(link.id);
    if (places === undefined) this.#byLink.set(link.id, (places = []));
    this.#lastLink = link;
    return (this.#lastPlaces = places);
  }

  onLinkClosed(link: Link): void {
    this.#byLink.delete(link.id);
    if (this.#lastLink === link) this.#lastLink = null;
  }
}
