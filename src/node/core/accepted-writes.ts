/**
 * Which write each request id of a connection stands for, so that a VALIDATE need only name the request (PROTOCOL W9):
 * no key to send, to read and to look up again.
 *
 * A request id has a place by its low bits, and every WRITE of the connection takes its place, accepted or not: so an
 * id that comes round again never finds what it stood for before. A client gives the ids of the operations it has
 * under way distinct low bits; where two writes do share a place the older one's VALIDATE is lost, and the key is
 * settled by a replay (R3) as if its client had died.
 */
import type { Link } from '../../protocol/messages.js';
import type { MutableVersion } from '../../protocol/version.js';
import { compareVersions, copyVersion } from '../../protocol/version.js';
import type { KeyRecord } from './store.js';

const placeMask = (1 << 14) - 1;

interface Place {
  rid: number;
  /** null: not accepted, or validated already. */
  record: KeyRecord | null;
  readonly version: MutableVersion;
}

type Places = (Place | undefined)[];

export class AcceptedWrites {
  /** By id of the connection. */
  readonly #byLink = new Map<number, Places>();
  /** Most messages come on the connection that the one before came on. */
  #lastLink: Link | null = null;
  #lastPlaces: Places = [];

  /** The write of this request was accepted, and is in `record` as it stands; null: it was not accepted. */
  note(link: Link, rid: number, record: KeyRecord | null): void {
    const places = this.#placesOf(link);
    const index = rid & placeMask;
    let place = places[index];
    if (place === undefined) {
      if (record === null) return;
      while (places.length < index) places.push(undefined);
      place = places[index] = { rid, record, version: { hlc: 0, clientId: 0, seq: 0, epoch: 0 } };
    }
    place.rid = rid;
    place.record = record;
    if (record !== null) copyVersion(record, place.version);
  }

  /** The record, if it still holds the write of this request; each write is given out once. */
  take(link: Link, rid: number): KeyRecord | undefined {
    const place = this.#placesOf(link)[rid & placeMask];
    if (place?.rid !== rid || place.record === null) return undefined;
    const { record } = place;
    place.record = null;
    return compareVersions(record, place.version) === 0 ? record : undefined;
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
