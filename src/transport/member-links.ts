/**
 * One connection to each member of the cluster map, kept up while the map names that member. A connection counts
 * only if the process at the other end says in its WELCOME that it is the very incarnation the map means: an address
 * may by now belong to another life, or to somebody else.
 */
import type { MemberNode } from '../protocol/cluster-map.js';
import type { HelloMessage, Message } from '../protocol/messages.js';
import type { CloseReason } from './close-reason.js';
import type { Connection } from './connection.js';
import type { Handlers } from './handlers.js';
import type { ConnectionOptions } from './options.js';
import { Redialler } from './redialler.js';

export interface MemberLinksOptions extends ConnectionOptions {
  /** Address to dial from; default the system's choice. */
  readonly localAddress?: string;
  readonly hello: () => HelloMessage;
  /** Before the messages of each chunk that arrives. */
  readonly onBatchStart: () => void;
  readonly onMessage: (nodeId: number, connection: Connection, message: Message) => void;
  readonly onUp: (nodeId: number) => void;
  /** A connection to a member has been full, and has room again. */
  readonly onRoom?: () => void;
  readonly onDown: (nodeId: number, reason: CloseReason) => void;
}

const backoffMsMax = 250;
/** A member whose connection ends has mostly died, and by then a map without it has come; one that lives is dialled again within that time. */
const backoffMsMin = 50;

export class MemberLinks {
  readonly #options: MemberLinksOptions;
  readonly #links = new Map<number, MemberLink>();
  /** By node id: what `get` is asked for with every operation. */
  readonly #open: (Connection | undefined)[] = [];

  constructor(options: MemberLinksOptions) {
    this.#options = options;
  }

  /** The open connection to that member, if any. */
  get(nodeId: number): Connection | undefined {
    return this.#open[nodeId];
  }

  /** Dials who is new among the members, and drops who is no longer one. */
  follow(members: readonly MemberNode[]): void {
    for (const [id, link] of this.#links) {
      if (members.some((member) => isSame(member, link.member))) continue;
      this.#links.delete(id);
      this.#closed(link);
      link.stop();
    }
    for (const member of members) {
      if (this.#links.has(member.id)) continue;
      const link: MemberLink = new MemberLink(member, this.#options, {
        opened: (connection) => {
          this.#open[member.id] = connection;
          this.#options.onUp(member.id);
        },
        closed: (reason) => {
          if (this.#closed(link)) this.#options.onDown(member.id, reason);
        },
      });
      this.#links.set(member.id, link);
    }
  }

  /** @returns whether its connection was the one in use. */
  #closed(link: MemberLink): boolean {
    const { id } = link.member;
    if (link.connection === undefined || this.#open[id] !== link.connection) return false;
    this.#open[id] = undefined;
    return true;
  }

  /** Ends all connections and dials no more. */
  stop(): void {
    this.follow([]);
  }
}

function isSame(a: MemberNode, b: MemberNode): boolean {
  return a.id === b.id && a.incarnation === b.incarnation && a.host === b.host && a.port === b.port;
}

interface MemberLinkOwner {
  readonly opened: (connection: Connection) => void;
  readonly closed: (reason: CloseReason) => void;
}

class MemberLink implements Handlers {
  readonly member: MemberNode;
  connection: Connection | undefined;
  readonly #options: MemberLinksOptions;
  readonly #owner: MemberLinkOwner;
  readonly #redialler: Redialler;

  constructor(member: MemberNode, options: MemberLinksOptions, owner: MemberLinkOwner) {
    this.member = member;
    this.#options = options;
    this.#owner = owner;
    const { host, port } = member;
    const { onUp: _up, onDown: _down, onRoom: _room, ...rest } = options;
    const { onMessage: _message, onBatchStart: _batch, ...dialling } = rest;
    this.#redialler = new Redialler({ ...dialling, host, port, handlers: this, backoffMsMin, backoffMsMax });
  }

  onOpen(connection: Connection): void {
    const { senderId, incarnation } = connection.peer;
    if (senderId !== this.member.id || incarnation !== this.member.incarnation) {
      connection.close('another incarnation answers at this address');
      return;
    }
    this.connection = connection;
    this.#owner.opened(connection);
  }

  onBatchStart(): void {
    this.#options.onBatchStart();
  }

  onRoom(connection: Connection): void {
    if (connection === this.connection) this.#options.onRoom?.();
  }

  onMessage(connection: Connection, message: Message): void {
    this.#options.onMessage(this.member.id, connection, message);
  }

  onClose(connection: Connection, reason: CloseReason): void {
    if (connection !== this.connection) return;
    this.#owner.closed(reason);
    this.connection = undefined;
  }

  stop(): void {
    this.#redialler.stop();
  }
}
