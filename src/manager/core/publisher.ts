/**
 * Brings maps out, one at a time: first the state that holds the map is saved, then the map is shown to anybody. So a
 * manager that is killed at any moment comes back with the newest map that any node or client has seen, or a newer one.
 *
 * The same goes for fences (M4): that nodes may be fenced for an epoch nobody has seen is saved before the first FENCE
 * is sent; a manager restored from such a state publishes that epoch, which lifts them.
 */
import type { ClusterMap } from '../../protocol/cluster-map.js';
import { FencePlan } from './fencing.js';
import type { Departure } from './fencing.js';
import type { ManagerState } from './state.js';

export interface PublisherOptions {
  /** Saves a state and calls `onPersisted(serial)` when that is done, at once or later, in order. */
  readonly persist: (state: Pick<ManagerState, 'serial' | 'map' | 'fencing'>) => void;
  /** The map to bring out instead of one that is saved and that nobody has seen yet; null: it is good. */
  readonly betterMap: (map: ClusterMap, previous: ClusterMap) => ClusterMap | null;
  readonly published: (map: ClusterMap, previous: ClusterMap | null) => void;
  /** The fences of this plan may be sent. */
  readonly armed: (plan: FencePlan) => void;
}

export class Publisher {
  readonly #options: PublisherOptions;
  #map: ClusterMap | null = null;
  #next: ClusterMap | null = null;
  #nextSerial = 0;
  #plan: FencePlan | null = null;
  #planSerial = 0;
  #serial = 0;
  #savedSerial = 0;
  #reservedSerial = 0;
  #mustPublish = false;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  restore({ serial, fencing }: ManagerState, map: ClusterMap | null): void {
    this.#serial = serial;
    this.#savedSerial = serial;
    this.#map = map;
    this.#mustPublish = fencing;
  }

  /** Saves that a new life of the manager has begun, before it gives anybody anything that must be unique. */
  reserve(): void {
    this.#reservedSerial = ++this.#serial;
    const map = this.#map?.toData() ?? null;
    this.#options.persist({ serial: this.#serial, map, fencing: this.#mustPublish });
  }

  /** Saves what else the state has, as it is now. @returns its serial */
  save(): number {
    const map = (this.#next ?? this.#map)?.toData() ?? null;
    const isFencing = this.#next === null && (this.#plan !== null || this.#mustPublish);
    this.#options.persist({ serial: ++this.#serial, map, fencing: isFencing });
    return this.#serial;
  }

  get isReserved(): boolean {
    return this.#savedSerial >= this.#reservedSerial;
  }

  /** The map that is out. */
  get map(): ClusterMap | null {
    return this.#map;
  }

  /** Another map is being saved; it will be out before any further one is made. */
  get isBusy(): boolean {
    return this.#next !== null;
  }

  /** The map that is being saved names that incarnation. */
  isAboutToName({ id, incarnation }: { readonly id: number; readonly incarnation: number }): boolean {
    return this.#next?.node(id)?.incarnation === incarnation;
  }

  /** Nodes may still be fenced by the plan of a manager that is gone. */
  get mustPublish(): boolean {
    return this.#mustPublish;
  }

  /** The removal under way. Publishing anything ends it. */
  get plan(): FencePlan | null {
    return this.#plan;
  }

  publish(map: ClusterMap): void {
    this.#plan = null;
    this.#mustPublish = false;
    this.#next = map;
    this.#nextSerial = ++this.#serial;
    this.#options.persist({ serial: this.#serial, map: map.toData(), fencing: false });
  }

  /** M4: the map without these replicas will follow once they are fenced. */
  beginRemoval(map: ClusterMap, departures: readonly Departure[]): void {
    this.#plan = new FencePlan(map.epoch + 1, departures);
    this.#planSerial = ++this.#serial;
    this.#options.persist({ serial: this.#serial, map: map.toData(), fencing: true });
  }

  /** The state of that serial is saved: what waited for it goes out. */
  onPersisted(serial: number): void {
    this.#savedSerial = Math.max(this.#savedSerial, serial);
    const map = this.#next;
    if (map !== null && serial >= this.#nextSerial) {
      const previous = this.#map;
      const better = previous && this.#options.betterMap(map, previous);
      if (better !== null) {
        this.publish(better);
        return;
      }
      this.#next = null;
      this.#map = map;
      this.#options.published(map, previous);
    }
    const plan = this.#plan;
    if (plan === null || plan.armed || serial < this.#planSerial) return;
    plan.armed = true;
    this.#options.armed(plan);
  }
}
