/**
 * Connections between processes, as the shells have them: dialled by one side, FIFO in each direction, with a random
 * delay per message. A connection breaks (what is under way is lost, both ends notice later), is closed by one end
 * (the other notices after what was sent before), or falls silent in one direction until that heals or silence
 * detection closes it. A dial is answered by the process life it reaches, with its incarnation at that moment.
 */
import { MessageType } from '../../src/protocol/messages.js';
import type { Message, PlainValue, RequestLink } from '../../src/protocol/messages.js';
import { plainValueMessage } from './frames.js';
import { cloneMessage } from './wire.js';
import type { SimProcess } from './process.js';
import type { World } from './world.js';

/** A message, or something that happens at the receiver in its turn. */
type Item = Message | (() => void);

export class End implements RequestLink {
  readonly id: number;
  readonly isFull = false;
  open = true;
  /** Incarnation of the far process when the connection was made. */
  farIncarnation = 0;
  readonly conn: Conn;
  readonly owner: SimProcess;
  /** Requests that came in and are not answered yet (nodes only): request id to message type. */
  readonly unanswered = new Map<number, number>();
  lastArrivalMs = 0;
  readonly held: Item[] = [];
  readonly #lazy: Message[] = [];
  #lazyLeavesAtMs = 0;

  constructor(conn: Conn, owner: SimProcess, id: number) {
    this.conn = conn;
    this.owner = owner;
    this.id = id;
  }

  get isOfNode(): boolean {
    return this.far.owner.isNode;
  }

  get far(): End {
    return this.conn.dialler === this ? this.conn.acceptor : this.conn.dialler;
  }

  send(message: Message): void {
    if (!this.open || !this.owner.alive) return;
    this.#flush();
    this.owner.world.observer.sent(this, message);
    this.owner.world.ambushes.sent(this, message);
    this.conn.transmit(this, cloneMessage(message));
  }

  sendAck(rid: number): void {
    this.send({ type: MessageType.ack, rid });
  }

  sendPlainValue(rid: number, value: PlainValue): void {
    this.send(plainValueMessage(rid, value));
  }

  sendLazily(message: Message, patienceMs: number): void {
    if (!this.open || !this.owner.alive) return;
    this.owner.world.observer.sent(this, message);
    this.owner.world.ambushes.sent(this, message);
    this.#lazy.push(cloneMessage(message));
    const { queue } = this.owner.world;
    const leavesAtMs = queue.nowMs + patienceMs;
    if (this.#lazy.length > 1 && leavesAtMs >= this.#lazyLeavesAtMs) return;
    this.#lazyLeavesAtMs = leavesAtMs;
    queue.after(patienceMs, () => {
      if (this.open && this.owner.alive && this.#lazyLeavesAtMs === leavesAtMs) this.#flush();
    });
  }

  #flush(): void {
    for (const message of this.#lazy.splice(0)) this.conn.transmit(this, message);
  }

  /** This side closes: it is told nothing, the far side notices. */
  close(): void {
    if (!this.open) return;
    this.open = false;
    this.owner.ends.delete(this);
    const { far } = this;
    this.conn.transmit(this, () => {
      far.noticeClosed();
    });
  }

  /** The connection is found closed: the owner is told. */
  noticeClosed(): void {
    if (!this.open) return;
    this.open = false;
    this.owner.ends.delete(this);
    this.owner.onEndClosed(this);
  }
}

export class Conn {
  readonly world: World;
  readonly dialler: End;
  readonly acceptor: End;
  lost = false;

  constructor(world: World, dialler: SimProcess, acceptor: SimProcess) {
    this.world = world;
    this.dialler = new End(this, dialler, world.nextLinkId());
    this.acceptor = new End(this, acceptor, world.nextLinkId());
    dialler.ends.add(this.dialler);
    acceptor.ends.add(this.acceptor);
  }

  transmit(from: End, item: Item): void {
    const { world } = this;
    const to = from.far;
    to.lastArrivalMs = Math.max(to.lastArrivalMs, world.queue.nowMs + world.delayMs(from.owner));
    world.queue.at(to.lastArrivalMs, () => {
      this.#arrive(to, item);
    });
  }

  #arrive(to: End, item: Item): void {
    if (this.lost || !to.open) return;
    if (to.held.length > 0 || this.world.isSilent(to.far.owner, to.owner)) {
      if (to.held.length === 0) this.world.silenceBegins(to);
      to.held.push(item);
      return;
    }
    this.handOver(to, item);
  }

  handOver(to: End, item: Item): void {
    to.owner.post(() => {
      if (!to.open) return;
      if (typeof item === 'function') item();
      else to.owner.receive(to, item);
    }, to);
  }

  /** Both ends notice, each in its time; what is under way is lost. */
  break(): void {
    if (this.lost) return;
    this.lost = true;
    for (const end of [this.dialler, this.acceptor]) {
      if (!end.open) continue;
      const noticedMs = this.world.prng.chance(0.7)
        ? this.world.prng.around(2)
        : this.world.prng.between(10, this.world.plan.silenceMs);
      this.world.queue.after(noticedMs, () => {
        end.owner.post(() => {
          end.noticeClosed();
        }, end);
      });
    }
  }
}

/** Whom a dial reaches when it gets there. */
export interface DialTarget {
  /** The listening process, if there is one. */
  resolve: () => SimProcess | undefined;
  opened: (end: End) => void;
  failed: () => void;
}

/** One attempt to connect. Exactly one of `opened` and `failed` is called, if the dialler lives. */
export function dial(world: World, dialler: SimProcess, target: DialTarget): void {
  let isSettled = false;
  const fail = (): void => {
    if (isSettled) return;
    isSettled = true;
    dialler.post(target.failed);
  };
  world.queue.after(world.plan.silenceMs + 50, fail);
  world.queue.after(world.delayMs(dialler), () => {
    const acceptor = target.resolve();
    if (acceptor === undefined || !acceptor.alive || world.isCut(dialler, acceptor)) {
      world.queue.after(world.delayMs(dialler), fail);
      return;
    }
    if (world.isSilent(dialler, acceptor)) return;
    acceptor.post(() => {
      if (isSettled || !dialler.alive) return;
      const conn = new Conn(world, dialler, acceptor);
      conn.dialler.farIncarnation = acceptor.incarnation();
      conn.acceptor.farIncarnation = dialler.incarnation();
      // Until its welcome the dialler does not use it; what the acceptor sends comes after the welcome.
      conn.transmit(conn.acceptor, () => {
        if (isSettled) {
          conn.dialler.close();
          return;
        }
        isSettled = true;
        target.opened(conn.dialler);
      });
      acceptor.onEndAccepted(conn.acceptor);
    });
  });
}
