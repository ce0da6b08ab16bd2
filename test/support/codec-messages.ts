/** One arbitrary for every message, and what the tests of the codec do with messages. */
import { encode as encodeOther } from '@msgpack/msgpack';
import fc from 'fast-check';
import { Unpackr } from 'msgpackr';
import { encodeMessage, MessageDecoder } from '../../src/protocol/codec.js';
import { unprintable } from '../../src/protocol/cold-fields.js';
import type { ClusterMapData } from '../../src/protocol/cluster-map.js';
import { MessageType, protocolVersion, RefusedReason, Want } from '../../src/protocol/messages.js';
import type { Entry, Message } from '../../src/protocol/messages.js';
import { MsgpackWriter } from '../../src/protocol/msgpack-writer.js';
import { fromKeyBytes, toKeyBytes } from '../../src/protocol/partition.js';
import { defaultSettings } from '../../src/protocol/settings.js';
import { clientIdEnd } from '../../src/protocol/version.js';
import type { Version } from '../../src/protocol/version.js';

export const T = MessageType;
export const frameBytesMax = 1 << 22;
export const unpackr = new Unpackr({ int64AsType: 'number', useRecords: false });

export function frameOf(message: Message): Buffer {
  const writer = new MsgpackWriter(16);
  encodeMessage(writer, message);
  return writer.buf.subarray(0, writer.pos);
}

export function payloadOf(message: Message): Buffer {
  return frameOf(message).subarray(4);
}

export function decode(payload: Buffer): Message {
  return new MessageDecoder({ frameBytesMax }).decode(payload, 0, payload.length);
}

export function pack(value: unknown): Buffer {
  return Buffer.from(encodeOther(value));
}

/** Decodes what another encoder makes of an array. */
export function decodeArray(elements: unknown[]): Message {
  return decode(pack(elements));
}

/** Buffers and arrays of bytes alike, so that deep equality compares what they hold. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]));
}

// Arbitraries: their fields stand in the order of the interfaces, on which `elementsOf` relies.

export const uint = fc.oneof(
  fc.nat({ max: 300 }),
  fc.nat({ max: 70_000 }),
  fc.nat({ max: 2 ** 31 - 1 }),
  fc.maxSafeNat(),
  fc.constantFrom(127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
);
export const id = fc.nat({ max: 2 ** 31 - 1 });
export const bool = fc.boolean();
export const version = fc.oneof(
  fc.record({ hlc: uint, clientId: uint.filter((id) => id < clientIdEnd), seq: uint, epoch: uint }),
  fc.record({
    hlc: fc.maxSafeNat(),
    clientId: fc.nat(2 ** 48 - 1),
    seq: fc.constant(0),
    epoch: fc.constant(0),
  }),
);
export const key = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 300 }),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
  )
  .map(toKeyBytes);
export const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.constantFrom(255, 256, 65_535, 65_536).map((length) => new Uint8Array(length).fill(7)),
);
export const value = fc.option(bytes);
export const applied = fc.option(
  fc.nat({ max: 16 }).chain((n) => fc.array(uint, { minLength: 4 + 6 * n, maxLength: 4 + 6 * n })),
);
export const text = fc.string({ unit: 'grapheme', maxLength: 40 });
export const host = fc.constantFrom('127.0.0.1', 'node-1.example', '::1');
export const port = fc.integer({ min: 1, max: 65_535 });
export const slot = fc.nat({ max: 65_535 });
export const entry: fc.Arbitrary<Entry> = fc.record({
  key,
  version,
  valid: bool,
  value,
  expiresAtMs: uint,
  applied,
});

export const map: fc.Arbitrary<ClusterMapData> = fc
  .record({
    clusterId: text,
    epoch: fc.integer({ min: 1, max: 2 ** 40 }),
    nodeIds: fc.uniqueArray(id, { minLength: 3, maxLength: 6 }),
    slotCount: fc.integer({ min: 1, max: 9 }),
    incarnation: uint,
    host,
    port,
  })
  .map(({ clusterId, epoch, nodeIds, slotCount, incarnation, ...address }) => ({
    clusterId,
    epoch,
    settings: {
      replicas: defaultSettings.replicas,
      slotCount,
      partitioner: defaultSettings.partitioner,
      keyBytesMax: defaultSettings.keyBytesMax,
      valueBytesMax: defaultSettings.valueBytesMax,
      leaseMs: defaultSettings.leaseMs,
      writeAgeMsMax: defaultSettings.writeAgeMsMax,
      tombstoneMs: defaultSettings.tombstoneMs,
      durability: defaultSettings.durability,
      copyBytesPerSecondMax: defaultSettings.copyBytesPerSecondMax,
    },
    nodes: nodeIds.map((nodeId) => ({ id: nodeId, incarnation, ...address })),
    slots: Array.from({ length: slotCount }, (_, index) => ({
      changedAt: epoch - 1,
      replicas: nodeIds.slice(index % 2, 2),
      learners: nodeIds.slice(2, 3),
      joinedAt: nodeIds.slice(index % 2, 3).map(() => epoch - 1),
    })),
  }));

export const greeting = {
  protocolVersion: fc.constant(protocolVersion),
  role: fc.constantFrom(0, 1, 2),
  clusterId: text,
  senderId: fc.nat({ max: 2 ** 48 - 1 }),
  incarnation: uint,
};

export function of<M extends Message>(
  type: M['type'],
  fields: { [K in keyof Omit<M, 'type'>]: fc.Arbitrary<M[K]> },
): fc.Arbitrary<Message> {
  return fc.record({ type: fc.constant(type), ...fields }) as unknown as fc.Arbitrary<Message>;
}

const someBytes = fc.uint8Array({ maxLength: 400 });

export const messages: Record<keyof typeof MessageType, fc.Arbitrary<Message>> = {
  write: of(T.write, {
    rid: uint,
    epoch: uint,
    kind: fc.constantFrom(0, 1, 2),
    version,
    key,
    value,
    expiresAtMs: uint,
    applied,
  }),
  ack: of(T.ack, { rid: uint }),
  stale: of(T.stale, { rid: uint, version, hasEntry: bool, value, expiresAtMs: uint, applied }),
  fenced: of(T.fenced, { rid: uint, epoch: uint, reason: fc.constantFrom(0, 1, 2, 3, 4, 5, 6) }),
  validate: of(T.validate, { rid: uint }),
  get: of(T.get, { rid: uint, versionOnly: bool, key }),
  value: of(T.value, { rid: uint, present: bool, version, value }),
  condition: of(T.condition, {
    rid: uint,
    epoch: uint,
    opClientId: uint,
    opNumber: uint,
    retried: bool,
    wants: fc.nat({ max: Want.value + Want.turn }),
    expectAbsent: bool,
    expected: version,
    key,
    value,
    expiresAtMs: uint,
  }),
  conditionResult: of(T.conditionResult, {
    rid: uint,
    status: fc.constantFrom(0, 1, 2, 3),
    version,
    present: bool,
    value,
  }),
  refused: of(T.refused, { rid: uint, reason: fc.constantFrom(0, 1, 2, 3) }),
  ping: of(T.ping, { rid: uint }),
  pong: of(T.pong, { rid: uint }),
  copyBatch: of(T.copyBatch, { rid: uint, entries: fc.array(entry, { maxLength: 20 }), done: bool }),
  scanBatch: of(T.scanBatch, { rid: uint, entries: fc.array(entry, { maxLength: 20 }), done: bool }),
  hello: of(T.hello, greeting),
  welcome: of(T.welcome, {
    ...greeting,
    clockUs: uint,
    frameBytesMax: fc.integer({ min: 1024, max: 2 ** 30 }),
  }),
  error: of(T.error, { code: text, text }),
  getMap: of(T.getMap, { rid: uint, newerThan: uint }),
  map: of(T.map, { rid: uint, map: fc.option(map) }),
  mapChange: map.chain(({ epoch, settings, nodes, slots }) =>
    of(T.mapChange, {
      base: fc.nat({ max: epoch }),
      epoch: fc.constant(epoch),
      settings: fc.constant(settings),
      nodes: fc.constant(nodes),
      slots: fc.constant(slots.map((slot, index) => [index, slot] as const)),
    }),
  ),
  heartbeat: of(T.heartbeat, {
    rid: uint,
    nodeId: id,
    incarnation: uint,
    epoch: uint,
    keys: uint,
    bytes: uint,
    noRoom: fc.option(fc.constantFrom(...Object.values(RefusedReason))),
  }),
  lease: of(T.lease, { rid: uint, epoch: uint, leaseMs: fc.integer({ min: 1, max: 10_000 }), clockUs: uint }),
  register: of(T.register, {
    rid: uint,
    nodeId: fc.oneof(id, fc.constant(-1)),
    incarnation: uint,
    host,
    port,
    pid: fc.nat(),
    hostLabel: text.filter((label) => !unprintable.test(label)),
    hasDisk: bool,
    disk: fc.record({ clusterId: text, slots: fc.array(fc.tuple(slot, uint)), clockUs: uint }),
  }),
  registered: of(T.registered, { rid: uint, nodeId: id, incarnation: uint, map }),
  fence: of(T.fence, { rid: uint, epoch: uint, slots: fc.array(slot) }),
  fenceAck: of(T.fenceAck, { rid: uint, epoch: uint }),
  copy: of(T.copy, { rid: uint, slot, joinedAt: uint, first: bool }),
  copyDone: of(T.copyDone, { nodeId: id, incarnation: uint, slots: fc.array(fc.tuple(slot, uint)) }),
  report: of(T.report, { rid: uint, nodeId: id, incarnation: uint, epoch: uint }),
  reportAck: of(T.reportAck, { rid: uint, epoch: uint }),
  promiseAsk: of(T.promiseAsk, { rid: uint, nodeId: id, incarnation: uint, epoch: uint }),
  promise: of(T.promise, { rid: uint, epoch: uint, granted: bool }),
  release: of(T.release, { rid: uint, nodeId: id, incarnation: uint }),
  room: of(T.room, { nodeId: id, reason: fc.option(fc.constantFrom(...Object.values(RefusedReason))) }),
  query: of(T.query, { rid: uint, key }),
  queryResult: of(T.queryResult, { rid: uint, epoch: uint, slot, replicas: fc.array(id, { maxLength: 64 }) }),
  status: of(T.status, { rid: uint }),
  statusResult: of(T.statusResult, { rid: uint, json: fc.string({ unit: 'grapheme', maxLength: 500 }) }),
  scan: of(T.scan, { rid: uint, slot, scanId: uint, first: bool, prefix: key }),
  removed: of(T.removed, { incarnation: uint, epoch: uint }),
  stop: of(T.stop, { epoch: uint, fault: text }),
  probe: of(T.probe, { rid: uint }),
  probeAck: of(T.probeAck, { rid: uint }),
  digestAsk: of(T.digestAsk, { rid: uint, slot, joinedAt: uint, first: bool }),
  digests: of(T.digests, { rid: uint, done: bool, buckets: fc.nat({ max: 65_536 }), digests: someBytes }),
  difference: of(T.difference, {
    rid: uint,
    slot,
    joinedAt: uint,
    first: bool,
    buckets: fc.nat({ max: 65_536 }),
    wanted: someBytes,
    known: someBytes,
  }),
  differenceEnd: of(T.differenceEnd, { rid: uint, missing: someBytes }),
  admin: of(T.admin, { rid: uint, json: text }),
  adminResult: of(T.adminResult, { rid: uint, json: text }),
  slotLoads: of(T.slotLoads, {
    nodeId: id,
    incarnation: uint,
    loads: fc.array(fc.record({ slot, keys: uint, bytes: uint, reads: uint, writes: uint })),
  }),
};

/** What any msgpack decoder must make of a message: the layout, said a second time. */
export function elementsOf(message: Message): unknown[] {
  if (message.type === T.copyBatch || message.type === T.scanBatch) {
    const entries = message.entries.map((e) => [
      ...[fromKeyBytes(e.key), ...numbersOf(e.version), e.valid, e.value, e.expiresAtMs, e.applied],
    ]);
    return [message.type, message.rid, message.done, ...entries];
  }
  return Object.entries(message).flatMap(([name, field]: [string, unknown]) => {
    if (name === 'version' || name === 'expected') return numbersOf(field as Version);
    if (name === 'key' || name === 'prefix') return [fromKeyBytes(field as string)];
    if (['disk', 'loads', 'settings', 'nodes', 'slots'].includes(name)) return [valuesOf(field)];
    if (name === 'map' && field !== null) return [valuesOf(field)];
    return [field];
  });
}

export function numbersOf({ hlc, clientId, seq, epoch }: Version): number[] {
  return [hlc, clientId, seq, epoch];
}

export function valuesOf(record: unknown): unknown {
  if (Array.isArray(record)) return record.map(valuesOf);
  return typeof record === 'object' && record !== null ? Object.values(record).map(valuesOf) : record;
}

/** One of each, the same in every run. */
export const samples = Object.values(messages).flatMap((arbitrary) =>
  fc.sample(arbitrary, { numRuns: 3, seed: 7 }),
);
