/**
 * A connection to one node that speaks the protocol by hand: what a client of its own making could do. It asks the
 * node itself, whatever the map says.
 */
import type { ClusterMap } from '../../src/client/index.js';
import { keepMessage } from '../../src/protocol/codec.js';
import { MessageType, PeerRole, WriteKind } from '../../src/protocol/messages.js';
import type { Message } from '../../src/protocol/messages.js';
import { decodeValue, encodeValue } from '../../src/protocol/value-codec.js';
import type { StoreValue } from '../../src/protocol/value-codec.js';
import type { Version } from '../../src/protocol/version.js';
import type { Connection } from '../../src/transport/connection.js';
import { dial } from '../../src/transport/dialer.js';
import { newHello } from '../../src/transport/handshake.js';

/** What a node said to a GET: a value (undefined: absent), or that it does not serve. */
export interface RawAnswer {
  readonly key: string;
  readonly served: boolean;
  readonly value: StoreValue | undefined;
}

/** A paused node is silent, and that is the point: only the end of the process ends the connection. */
const silenceMsMax = 120_000;

export class RawNode {
  readonly #connection: Connection;
  readonly #gets = new Map<number, { readonly key: string; readonly resolve: (answer: RawAnswer) => void }>();
  readonly #others = new Map<number, (answer: Message) => void>();
  #lastRid = 0;
  isClosed = false;

  private constructor(connection: Connection) {
    this.#connection = connection;
  }

  static async open(address: { readonly host: string; readonly port: number }): Promise<RawNode> {
    const nodes: RawNode[] = [];
    const connection = await dial({
      ...address,
      hello: newHello(PeerRole.client),
      silenceMsMax,
      heartbeatMs: silenceMsMax,
      handlers: {
        onMessage: (_connection, message) => nodes[0]?.onMessage(message),
        onClose: () => nodes[0]?.onClose(),
      },
    });
    const node = new RawNode(connection);
    nodes.push(node);
    return node;
  }

  /** Asks for a key; never answered if the connection ends. */
  get(key: string): Promise<RawAnswer> {
    return new Promise((resolve) => {
      const rid = ++this.#lastRid;
      this.#gets.set(rid, { key, resolve });
      this.#connection.send({ type: MessageType.get, rid, versionOnly: false, key });
    });
  }

  /** Sends a WRITE and nothing else: no VALIDATE follows. @returns the answer */
  write(map: ClusterMap, key: string, version: Version, value: StoreValue): Promise<Message> {
    return new Promise((resolve) => {
      const rid = ++this.#lastRid;
      this.#others.set(rid, resolve);
      this.#connection.send({
        type: MessageType.write,
        rid,
        epoch: map.epoch,
        kind: WriteKind.plain,
        version,
        key,
        value: encodeValue(value),
        expiresAtMs: 0,
        applied: null,
      });
    });
  }

  /** Keys of one slot, beginning with `prefix`, that this node holds INVALID; undefined if it does not serve the slot. */
  async undecided(slot: number, prefix: string): Promise<string[] | undefined> {
    const keys: string[] = [];
    const scanId = ++this.#lastRid;
    for (let first = true; ; first = false) {
      const answer = await new Promise<Message>((resolve) => {
        const rid = ++this.#lastRid;
        this.#others.set(rid, resolve);
        this.#connection.send({ type: MessageType.scan, rid, slot, scanId, first, prefix });
      });
      if (answer.type !== MessageType.scanBatch) return undefined;
      for (const { key, valid } of answer.entries) if (!valid) keys.push(key);
      if (answer.done) return keys;
    }
  }

  close(): void {
    this.#connection.destroy();
  }

  private onMessage(message: Message): void {
    if (!('rid' in message)) return;
    this.#others.get(message.rid)?.(keepMessage(message));
    this.#others.delete(message.rid);
    const asked = this.#gets.get(message.rid);
    if (asked === undefined) return;
    this.#gets.delete(message.rid);
    const { key, resolve } = asked;
    if (message.type !== MessageType.value) resolve({ key, served: false, value: undefined });
    else
      resolve({
        key,
        served: true,
        value: message.value === null ? undefined : decodeValue(message.value),
      });
  }

  private onClose(): void {
    this.isClosed = true;
  }
}
