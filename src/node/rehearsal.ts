/**
 * A node goes through its part once before it serves: two cores without a network, one of which takes writes and reads and
 * gives its slots to the other.
 *
 * The engine compiles for what it has seen. Code that has met nothing but writes and reads is thrown away when the first
 * slot moves, in all nodes at once, and compiled again while requests wait. What is rehearsed is known when the
 * code is compiled for the first time (docs/BENCHMARKS.md says what that gave).
 */
import { encodeMessage, frameHeaderBytes, MessageDecoder } from '../protocol/codec.js';
import type { ClusterMapData, SlotAssignment } from '../protocol/cluster-map.js';
import { MessageType, WriteKind } from '../protocol/messages.js';
import type { Link, Message } from '../protocol/messages.js';
import { MsgpackWriter } from '../protocol/msgpack-writer.js';
import { defaultSettings } from '../protocol/settings.js';
import { NodeCore } from './core/node-core.js';
import { ArenaStore } from './storage/arena-store.js';

const slotCount = 4;
const keyCount = 120;
const valueBytes = 100;
const frameBytesMax = 1 << 20;
const leaseMs = 1000;
const tickMs = 10;
const ticksPerMap = 20;
const startUs = 1_700_000_000_000_000;
const clientId = 3_000_000_000;

/** Everything there is: two actors, what is on its way between them, and a manager's voice. */
class Stage {
  readonly #writer = new MsgpackWriter();
  nowMs = 1;
  readonly #onTheWay: (() => void)[] = [];
  readonly actors: readonly Actor[];
  #epoch = 0;
  #linkIds = 0;

  constructor() {
    this.actors = [new Actor(this, 0), new Actor(this, 1)];
  }

  /** What arrives comes out of the codec, as it would from a socket. */
  link(decoder: MessageDecoder, arrives: (message: Message) => void): Link {
    const send = (message: Message): void => {
      this.#writer.reset();
      encodeMessage(this.#writer, message);
      const frame = Buffer.from(this.#writer.buf.subarray(frameHeaderBytes, this.#writer.pos));
      this.#onTheWay.push(() => {
        arrives(decoder.decode(frame, 0, frame.length));
      });
    };
    return { id: ++this.#linkIds, send, sendLazily: send };
  }

  /** Until nothing is on its way. */
  deliver(): void {
    for (let next = this.#onTheWay.shift(); next !== undefined; next = this.#onTheWay.shift()) next();
  }

  /** A map in which every slot has these members, and time for what follows from it. */
  play(replicas: readonly number[], learners: readonly number[], joinedAt: readonly number[]): void {
    const epoch = ++this.#epoch;
    const slot: SlotAssignment = { changedAt: epoch, replicas, learners, joinedAt };
    const map: ClusterMapData = {
      clusterId: 'rehearsal',
      epoch,
      settings: { ...defaultSettings, slotCount },
      nodes: this.actors.map(({ id }) => ({ id, incarnation: id + 1, host: '127.0.0.1', port: id + 1 })),
      slots: Array.from({ length: slotCount }, () => slot),
    };
    for (const actor of this.actors) actor.follow(map);
    for (let tick = 0; tick < ticksPerMap; tick++) {
      this.nowMs += tickMs;
      for (const { core } of this.actors) core.tick();
      this.deliver();
    }
  }

  /** Every key is written, validated and read, at each of these. */
  load(ids: readonly number[]): void {
    const value = new Uint8Array(valueBytes);
    const epoch = this.#epoch;
    for (let index = 0; index < keyCount; index++) {
      const rid = (epoch * keyCount + index + 1) << 14;
      const key = `key:${String(index).padStart(16, '0')}`;
      const hlc = startUs + this.nowMs * 1000 + index;
      const version = { hlc, clientId, seq: 0, epoch: 0 };
      const put = { epoch, kind: WriteKind.plain, version, key, value, expiresAtMs: 0, applied: null };
      for (const id of ids) {
        const client = this.actors[id]?.client;
        client?.send({ type: MessageType.write, rid, ...put });
        client?.send({ type: MessageType.validate, rid });
        client?.send({ type: MessageType.get, rid: rid + 1, versionOnly: false, key });
      }
      this.deliver();
    }
  }
}

class Actor {
  readonly id: number;
  readonly core: NodeCore;
  /** A client's connection to it. */
  readonly client: Link;
  readonly #stage: Stage;
  readonly #manager: Link;
  readonly #decoder = new MessageDecoder({ frameBytesMax });
  readonly #peers = new Map<number, Link>();
  #map: ClusterMapData | null = null;

  constructor(stage: Stage, id: number) {
    this.#stage = stage;
    this.id = id;
    this.#manager = stage.link(this.#decoder, (message) => {
      this.#answer(message);
    });
    this.core = new NodeCore({
      ports: {
        nowMs: () => stage.nowMs,
        random: () => 0.5,
        peer: (nodeId) => this.#peer(nodeId),
        manager: () => this.#manager,
        mapAdopted: () => undefined,
        identityChanged: () => undefined,
        stopOrdered: () => undefined,
        log: () => undefined,
      },
      store: new ArenaStore(),
      address: { host: '127.0.0.1', port: id + 1, pid: id + 1, hostLabel: '' },
      nodeId: id,
    });
    this.client = this.#linkTo(this, () => undefined);
  }

  /** A connection to `target`; what it answers comes back to `answered`. */
  #linkTo(target: Actor, answered: (message: Message) => void): Link {
    const back = this.#stage.link(this.#decoder, answered);
    return this.#stage.link(target.#decoder, (message) => {
      target.core.onRequest(back, message);
    });
  }

  #peer(nodeId: number): Link | undefined {
    const target = this.#stage.actors[nodeId];
    let link = this.#peers.get(nodeId);
    if (link !== undefined || target === undefined) return link;
    link = this.#linkTo(target, (message) => {
      this.core.onPeerMessage(nodeId, message);
    });
    this.#peers.set(nodeId, link);
    return link;
  }

  follow(map: ClusterMapData): void {
    const isFirst = this.#map === null;
    this.#map = map;
    if (isFirst) this.core.onManagerUp();
    else this.core.onManagerMessage({ type: MessageType.map, rid: 0, map });
    this.#stage.deliver();
  }

  /** As the manager would. */
  #answer(message: Message): void {
    const map = this.#map;
    if (map === null) return;
    if (message.type === MessageType.register) {
      const { rid } = message;
      const incarnation = this.id + 1;
      this.core.onManagerMessage({ type: MessageType.registered, rid, nodeId: this.id, incarnation, map });
    } else if (message.type === MessageType.heartbeat) {
      const clockUs = startUs + this.#stage.nowMs * 1000;
      const { rid } = message;
      this.core.onManagerMessage({ type: MessageType.lease, rid, epoch: map.epoch, leaseMs, clockUs });
    }
  }
}

/** Takes some hundredths of a second. @returns the two stores' keys, of which the first has given its own away */
export function rehearse(): readonly number[] {
  const stage = new Stage();
  stage.play([0], [], [1]);
  stage.load([0]);
  stage.play([0], [1], [1, 2]);
  stage.load([0, 1]);
  stage.play([0, 1], [], [1, 2]);
  stage.load([0, 1]);
  stage.play([1], [], [2]);
  stage.load([1]);
  return stage.actors.map(({ core }) => core.replica.store.keys);
}
