/**
 * A client of the empty store: keys, values, frames and promises as in GTStore's, a put to K servers at once and a get to
 * one. No request is checked, timed, tried again or told to be committed.
 *
 *     empty-store-client {"workload": ..., "replicas": ..., "ports": ...}
 */
import type { Buffer } from 'node:buffer';
import { connect } from 'node:net';
import { MessageDecoder } from '../src/protocol/codec.js';
import { MessageType, WriteKind } from '../src/protocol/messages.js';
import type { Message } from '../src/protocol/messages.js';
import { partitionerNamed } from '../src/protocol/partition.js';
import { defaultSettings } from '../src/protocol/settings.js';
import { decodeValue, encodeValue } from '../src/protocol/value-codec.js';
import type { StoreValue } from '../src/protocol/value-codec.js';
import { serveRequests } from './driver.js';
import { EmptyStoreLink, frameBytesMax, readingFrames } from './empty-store-link.js';
import type { FloorClientArgument } from './floor-client.js';
import { endWithServer } from './lost-server.js';
import { PromiseDriver } from './promise-driver.js';
import type { DrivenStore } from './promise-driver.js';

const placesMax = 16_384;
const homeOf = partitionerNamed(defaultSettings.partitioner) ?? (() => 0);
const decoder = new MessageDecoder({ frameBytesMax });

interface Pending {
  readonly place: number;
  awaited: number;
  resolve: (value: StoreValue | undefined) => void;
}

class EmptyStore implements DrivenStore {
  readonly links: EmptyStoreLink[] = [];
  readonly #replicas: number;
  readonly #pending: Pending[] = [];
  readonly #free: Pending[] = [];
  #hlc = 2 ** 50;

  constructor(replicas: number) {
    this.#replicas = replicas;
  }

  put(key: string, value: StoreValue): Promise<unknown> {
    return new Promise((resolve) => {
      const rid = this.#begin(this.#replicas, resolve);
      const first = homeOf(key);
      const version = { hlc: ++this.#hlc, clientId: 2 ** 47, seq: 0, epoch: 0 };
      const primary = this.#link(first);
      const bytes = primary.out.append({
        type: MessageType.write,
        rid,
        epoch: 1,
        kind: WriteKind.plain,
        version,
        key,
        value: encodeValue(value),
        expiresAtMs: 0,
        applied: null,
      });
      primary.leaveSoon();
      for (let i = 1; i < this.#replicas; i++) {
        const link = this.#link(first + i);
        link.out.appendLastOf(primary.out, bytes);
        link.leaveSoon();
      }
    });
  }

  get(key: string): Promise<StoreValue | undefined> {
    return new Promise((resolve) => {
      const link = this.#link(homeOf(key));
      const rid = this.#begin(1, resolve);
      link.out.append({ type: MessageType.get, rid, versionOnly: false, key });
      link.leaveSoon();
    });
  }

  #begin(awaited: number, resolve: (value: StoreValue | undefined) => void): number {
    const pending = this.#free.pop() ?? this.#addPending(resolve);
    pending.awaited = awaited;
    pending.resolve = resolve;
    // As long as GTStore's.
    return placesMax * 4 + pending.place;
  }

  #addPending(resolve: Pending['resolve']): Pending {
    const pending = { place: this.#pending.length, awaited: 0, resolve };
    this.#pending.push(pending);
    return pending;
  }

  #link(index: number): EmptyStoreLink {
    const link = this.links[index % this.links.length];
    if (link === undefined) throw new Error('no server');
    return link;
  }

  readonly onFrame = (buffer: Buffer, start: number, end: number): void => {
    let message: Message | null = decoder.decode(buffer, start, end);
    for (; message !== null; message = decoder.next()) this.#onMessage(message);
  };

  #onMessage(message: Message): void {
    if (message.type !== MessageType.ack && message.type !== MessageType.value)
      throw new Error(`a message of type ${message.type}`);
    const pending = this.#pending[message.rid & (placesMax - 1)];
    if (pending === undefined || --pending.awaited > 0) return;
    this.#free.push(pending);
    const value = message.type === MessageType.value ? message.value : null;
    pending.resolve(value === null ? undefined : decodeValue(value));
  }
}

function dial(store: EmptyStore, port: number): Promise<EmptyStoreLink> {
  return new Promise((resolve, reject) => {
    const onread = readingFrames(store.onFrame);
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, onread });
    socket.once('error', reject);
    socket.once('connect', () => {
      endWithServer(socket, port);
      resolve(new EmptyStoreLink(socket));
    });
  });
}

const { workload, replicas, ports } = JSON.parse(process.argv[2] ?? '{}') as FloorClientArgument;
const sessions: EmptyStore[] = [];
for (let session = 0; session < workload.sessions; session++) {
  const store = new EmptyStore(replicas);
  store.links.push(...(await Promise.all(ports.map((port) => dial(store, port)))));
  sessions.push(store);
}
serveRequests(new PromiseDriver(sessions, workload));
