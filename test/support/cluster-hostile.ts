/** Peers that mean harm, or are broken: sockets that send whatever they like, read nothing, or say nothing. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { encodeMessage } from '../../src/protocol/codec.js';
import { MessageType, PeerRole, Want, WriteKind } from '../../src/protocol/messages.js';
import type { Message } from '../../src/protocol/messages.js';
import { MsgpackWriter } from '../../src/protocol/msgpack-writer.js';
import { newHello } from '../../src/transport/handshake.js';
import type { Prng } from '../sim/prng.js';
import type { Address } from './cluster-proxy.js';

export function encode(...messages: Message[]): Buffer {
  const writer = new MsgpackWriter();
  for (const message of messages) encodeMessage(writer, message);
  return Buffer.from(writer.buf.subarray(0, writer.pos));
}

export const greeting = encode(newHello(PeerRole.client, { senderId: 13 }));

/** A connection with nothing behind it; errors are what it is for. */
export function openSocket({ host, port }: Address): Socket {
  const socket = connect({ host, port });
  socket.on('error', () => undefined);
  return socket;
}

/** Fulfilled when the other side has ended it. */
export function closed(socket: Socket): Promise<void> {
  if (socket.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    socket.once('close', () => {
      resolve();
    });
  });
}

/** Resident bytes of a process, where the system tells; else 0. */
export function residentBytes(pid: number): number {
  return bytesOf('VmRSS', pid);
}

/** The most that they have been. */
export function peakBytes(pid: number): number {
  return bytesOf('VmHWM', pid);
}

function bytesOf(field: string, pid: number): number {
  if (process.platform !== 'linux') return 0;
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) * 1024;
}

/** One of each kind of request that a client or a node may send, about keys nobody else uses. */
function honestFrames(key: string): Buffer[] {
  const version = { hlc: 1_700_000_000_000_000, clientId: 13, seq: 0, epoch: 0 };
  const value = new Uint8Array(20).fill(0xa1);
  const [rid, epoch, incarnation, nodeId] = [1, 1, 999_999, 77];
  const entry = { version, key, value, expiresAtMs: 0 };
  return [
    encode({
      type: MessageType.write,
      rid,
      epoch,
      kind: WriteKind.plain,
      ...entry,
      applied: null,
    }),
    encode({ type: MessageType.get, rid, versionOnly: false, key }),
    encode({ type: MessageType.validate, rid }),
    encode({
      type: MessageType.condition,
      ...{ rid, epoch, opClientId: 13, opNumber: 1, retried: false, wants: Want.value },
      ...{ expectAbsent: true, expected: version, key, value, expiresAtMs: 0 },
    }),
    encode({ type: MessageType.scan, rid, slot: 1, scanId: 1, first: true, prefix: 'no such' }),
    encode({ type: MessageType.copy, rid, slot: 1, joinedAt: 1, first: true }),
    encode({ type: MessageType.getMap, rid, newerThan: 0 }),
    encode({ type: MessageType.ping, rid }),
    encode({ type: MessageType.ack, rid }),
    encode({ type: MessageType.query, rid, key }),
    encode({ type: MessageType.status, rid }),
    encode({ type: MessageType.report, rid, nodeId, incarnation, epoch }),
    encode({ type: MessageType.heartbeat, rid, nodeId, incarnation, epoch, keys: 1, bytes: 1, noRoom: null }),
    encode({ type: MessageType.copyDone, nodeId, incarnation, slots: [[1, 1]] }),
    encode({ type: MessageType.promiseAsk, rid, nodeId, incarnation, epoch }),
    encode({ type: MessageType.fenceAck, rid, epoch }),
    encode({ type: MessageType.probeAck, rid }),
    greeting,
  ];
}

/** Frames from harmless to senseless; the same seed gives the same ones. */
export class Fuzzer {
  readonly #random: Prng;
  readonly #honest: readonly Buffer[];

  constructor(random: Prng, key: string) {
    this.#random = random;
    this.#honest = honestFrames(key);
  }

  frame(): Buffer {
    const kind = this.#random.below(10);
    if (kind < 4) return this.#random.pick(this.#honest);
    if (kind < 8) return this.#mutated(this.#random.pick(this.#honest));
    if (kind < 9) return this.#framed(this.#noise(this.#random.int(1, 60)));
    return this.#noise(this.#random.int(1, 60));
  }

  /** Mostly still a frame: some bytes of the payload differ; sometimes it is cut, or longer than it says. */
  #mutated(honest: Buffer): Buffer {
    const frame = Buffer.from(honest);
    for (let n = this.#random.int(1, 3); n > 0; n--) {
      frame[this.#random.int(4, frame.length - 1)] = this.#random.below(256);
    }
    const what = this.#random.below(20);
    if (what === 0) return frame.subarray(0, this.#random.int(1, frame.length));
    if (what === 1) return Buffer.concat([frame, this.#noise(3)]);
    if (what === 2) frame.writeUInt32BE(this.#random.int(0, 0xffffffff));
    return frame;
  }

  #framed(payload: Buffer): Buffer {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(payload.length);
    return Buffer.concat([head, payload]);
  }

  #noise(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.#random.below(256)));
  }
}
