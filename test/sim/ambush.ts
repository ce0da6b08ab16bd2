/**
 * Faults that lie in wait for a message: they strike when the n-th of its kind is sent, or has just been handled, not at some time.
 * What happens only if somebody dies, stands still or is cut off just then, and only if something of the kind has happened
 * just before, random times hardly ever bring about. So several lie in wait at once, and some that have struck lay the next one.
 */
import { MessageType } from '../../src/protocol/messages.js';
import type { Message } from '../../src/protocol/messages.js';
import type { End } from './network.js';
import { NodeProcess } from './node-process.js';
import { Prng } from './prng.js';
import type { SimProcess } from './process.js';
import type { World } from './world.js';

const seedOffset = 2 ** 44;

/** All that changes who may do what; of writes and what comes of them, the kinds whose order matters. */
const awaited = [
  'write',
  'ack',
  'stale',
  'fenced',
  'validate',
  'condition',
  'conditionResult',
  'copyBatch',
  'copyDone',
  'lease',
  'register',
  'registered',
  'removed',
  'fence',
  'fenceAck',
  'promiseAsk',
  'promise',
  'release',
  'map',
  'mapChange',
] as const satisfies readonly (keyof typeof MessageType)[];
/** Those that are seldom sent are waited for more often. */
const rare = [
  'copyDone',
  'registered',
  'removed',
  'fence',
  'fenceAck',
  'promise',
  'release',
  'mapChange',
  'stale',
] as const satisfies readonly (typeof awaited)[number][];

const deeds = [
  'crash',
  'pause',
  'cutFromManager',
  'cutBoth',
  'silence',
  'break',
  'crashManager',
  'strand',
] as const;

interface Ambush {
  readonly type: number;
  readonly isForSent: boolean;
  left: number;
}

export class Ambushes {
  readonly #world: World;
  readonly #prng: Prng;
  #waiting: Ambush[] = [];

  constructor(world: World) {
    this.#world = world;
    this.#prng = new Prng(world.seed + seedOffset);
    for (let count = world.plan.ambushes; count > 0; count--) this.#lay();
  }

  #lay(): void {
    const prng = this.#prng;
    const name = prng.chance(0.6) ? prng.pick(rare) : prng.pick(awaited);
    const left = Math.floor(prng.around(4));
    this.#waiting.push({ type: MessageType[name], isForSent: prng.chance(0.5), left });
  }

  sent(end: End, message: Message): void {
    if (this.#waiting.length > 0) this.#look(end, end.far, message.type, true);
  }

  delivered(end: End, message: Message): void {
    if (this.#waiting.length > 0) this.#look(end.far, end, message.type, false);
  }

  #look(from: End, to: End, type: number, isSent: boolean): void {
    const world = this.#world;
    if (world.calm) return;
    for (const each of this.#waiting) {
      if (each.type !== type || each.isForSent !== isSent || each.left-- > 0) continue;
      this.#waiting = this.#waiting.filter((other) => other !== each);
      const prng = this.#prng;
      if (prng.chance(0.5)) this.#lay();
      const deed = prng.pick(deeds);
      if (deed === 'strand') {
        this.#strand(from, to);
        return;
      }
      const victim = this.#victim(from.owner, to.owner);
      const delayMs = prng.chance(0.6) ? 0 : prng.between(0, prng.pick([3, 30]));
      world.queue.after(delayMs, () => {
        if (!world.calm) this.#strike(deed, victim, from, to);
      });
      return;
    }
  }

  /** Mostly one of the two. */
  #victim(from: SimProcess, to: SimProcess): SimProcess {
    const prng = this.#prng;
    const nodes = this.#world.nodes.filter((node) => node.alive);
    return prng.chance(0.75) || nodes.length === 0 ? prng.pick([from, to]) : prng.pick(nodes);
  }

  #forMs(): number {
    const { leaseMs } = this.#world.plan.settings;
    return this.#prng.chance(0.5) ? this.#prng.between(5, leaseMs) : this.#prng.between(leaseMs, 3 * leaseMs);
  }

  /** The sender gives the connection up; what it has just sent is held back by the network, and arrives all the same. */
  #strand(from: End, to: End): void {
    const { queue, plan } = this.#world;
    // Who dialled gives a silent connection up itself, and sooner than who accepted it; and that is long before a tombstone is dropped.
    const forMsMax = to === to.conn.dialler ? plan.silenceMs : plan.settings.tombstoneMs / 2;
    const forMs = Math.min(forMsMax, this.#forMs());
    to.lastArrivalMs = Math.max(to.lastArrivalMs, queue.nowMs) + forMs;
    queue.after(0, () => {
      from.conn.transmit(from, () => {
        to.noticeClosed();
      });
      from.owner.post(() => {
        from.noticeClosed();
      });
    });
  }

  #strike(deed: Exclude<(typeof deeds)[number], 'strand'>, victim: SimProcess, from: End, to: End): void {
    const world = this.#world;
    if (world.isTracing) world.trace(`ambush: ${deed} ${victim.name}`);
    const forMs = this.#forMs();
    switch (deed) {
      case 'crash':
        this.#crash(victim);
        return;
      case 'pause':
        victim.pause(forMs);
        return;
      case 'cutFromManager':
        if (victim !== world.manager) world.cut(world.manager, victim, forMs);
        return;
      case 'cutBoth':
        world.cut(from.owner, to.owner, forMs);
        return;
      case 'silence':
        if (this.#prng.chance(0.5)) world.silence(from.owner, to.owner, forMs);
        else world.silence(to.owner, from.owner, forMs);
        return;
      case 'break':
        from.conn.break();
        return;
      case 'crashManager':
        this.#crash(world.manager);
        return;
    }
  }

  #crash(victim: SimProcess): void {
    const world = this.#world;
    if (!victim.alive) return;
    if (victim instanceof NodeProcess) {
      if (world.plan.allowsLoss || !world.observer.isLastOfSomeSlot(victim)) world.crashNode(victim);
      return;
    }
    victim.crash();
    if (victim !== world.manager) return;
    world.queue.after(this.#forMs() * this.#prng.next(), () => {
      world.startManager();
    });
  }

  /** What came in on each connection while a process stood still is read in its order, and connections in any. */
  inAnyOrder<T extends { readonly end: End | null }>(inbox: T[]): T[] {
    if (this.#world.plan.ambushes === 0) return inbox;
    const byEnd = new Map<End | null, T[]>();
    for (const item of inbox) {
      const items = byEnd.get(item.end);
      if (items === undefined) byEnd.set(item.end, [item]);
      else items.push(item);
    }
    const queues = [...byEnd.values()].map((items) => ({ items, at: 0 }));
    const ordered: T[] = [];
    while (queues.length > 0) {
      const index = this.#prng.below(queues.length);
      const queue = queues[index];
      // Several at once: a read of a socket takes what is there.
      for (let count = this.#prng.int(1, 4); queue !== undefined && count > 0; count--) {
        const item = queue.items[queue.at++];
        if (item !== undefined) ordered.push(item);
      }
      if (queue === undefined || queue.at >= queue.items.length) queues.splice(index, 1);
    }
    return ordered;
  }
}
