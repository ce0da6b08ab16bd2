import { decode as decodeOther, encode as encodeOther } from '@msgpack/msgpack';
import { expect } from 'chai';
import fc from 'fast-check';
import { Unpackr } from 'msgpackr';
import { encodeMessage, keepMessage, MessageDecoder } from '../../src/protocol/codec.js';
import { newSlot } from '../../src/protocol/cluster-map.js';
import type { ClusterMapData } from '../../src/protocol/cluster-map.js';
import { ProtocolError } from '../../src/protocol/errors.js';
import { FrameDecoder } from '../../src/protocol/frame-decoder.js';
import { MessageType, protocolVersion } from '../../src/protocol/messages.js';
import type { Entry, Message } from '../../src/protocol/messages.js';
import { MsgpackWriter } from '../../src/protocol/msgpack-writer.js';
import { fromKeyBytes, toKeyBytes } from '../../src/protocol/partition.js';
import { defaultSettings } from '../../src/protocol/settings.js';
import type { Version } from '../../src/protocol/version.js';

const T = MessageType;
const frameBytesMax = 1 << 22;
const unpackr = new Unpackr({ int64AsType: 'number', useRecords: false });

function frameOf(message: Message): Buffer {
  const writer = new MsgpackWriter(16);
  encodeMessage(writer, message);
  return writer.buf.subarray(0, writer.pos);
}

function payloadOf(message: Message): Buffer {
  return frameOf(message).subarray(4);
}

function decode(payload: Buffer): Message {
  return new MessageDecoder({ frameBytesMax }).decode(payload, 0, payload.length);
}

function pack(value: unknown): Buffer {
  return Buffer.from(encodeOther(value));
}

/** Decodes what another encoder makes of an array. */
function decodeArray(elements: unknown[]): Message {
  return decode(pack(elements));
}

/** Buffers and arrays of bytes alike, so that deep equality compares what they hold. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]));
}

// Arbitraries: their fields stand in the order of the interfaces, on which `elementsOf` relies.

const uint = fc.oneof(
  fc.nat({ max: 300 }),
  fc.nat({ max: 70_000 }),
  fc.nat({ max: 2 ** 31 - 1 }),
  fc.maxSafeNat(),
  fc.constantFrom(127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
);
const id = fc.nat({ max: 2 ** 31 - 1 });
const bool = fc.boolean();
const version = fc.oneof(
  fc.record({ hlc: uint, clientId: uint, seq: uint, epoch: uint }),
  fc.record({
    hlc: fc.maxSafeNat(),
    clientId: fc.nat(2 ** 48 - 1),
    seq: fc.constant(0),
    epoch: fc.constant(0),
  }),
);
const key = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 300 }),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
  )
  .map(toKeyBytes);
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.constantFrom(255, 256, 65_535, 65_536).map((length) => new Uint8Array(length).fill(7)),
);
const value = fc.option(bytes);
const applied = fc.option(
  fc.nat({ max: 16 }).chain((n) => fc.array(uint, { minLength: 4 + 6 * n, maxLength: 4 + 6 * n })),
);
const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const host = fc.constantFrom('127.0.0.1', 'node-1.example', '::1');
const port = fc.integer({ min: 1, max: 65_535 });
const slot = fc.nat({ max: 65_535 });
const entry: fc.Arbitrary<Entry> = fc.record({
  key,
  version,
  valid: bool,
  value,
  expiresAtMs: uint,
  applied,
});

const map: fc.Arbitrary<ClusterMapData> = fc
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
    },
    nodes: nodeIds.map((nodeId) => ({ id: nodeId, incarnation, ...address })),
    slots: Array.from({ length: slotCount }, (_, index) => ({
      changedAt: epoch - 1,
      replicas: nodeIds.slice(index % 2, 2),
      learners: nodeIds.slice(2, 3),
      joinedAt: nodeIds.slice(index % 2, 3).map(() => epoch - 1),
    })),
  }));

const greeting = {
  protocolVersion: fc.constant(protocolVersion),
  role: fc.constantFrom(0, 1, 2),
  clusterId: text,
  senderId: fc.nat({ max: 2 ** 48 - 1 }),
  incarnation: uint,
};

function of<M extends Message>(
  type: M['type'],
  fields: { [K in keyof Omit<M, 'type'>]: fc.Arbitrary<M[K]> },
): fc.Arbitrary<Message> {
  return fc.record({ type: fc.constant(type), ...fields }) as unknown as fc.Arbitrary<Message>;
}

const messages: Record<keyof typeof MessageType, fc.Arbitrary<Message>> = {
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
  validate: of(T.validate, { version, key }),
  get: of(T.get, { rid: uint, versionOnly: bool, key }),
  value: of(T.value, { rid: uint, present: bool, version, value }),
  condition: of(T.condition, {
    rid: uint,
    epoch: uint,
    opClientId: uint,
    opNumber: uint,
    retried: bool,
    wantValue: bool,
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
  heartbeat: of(T.heartbeat, {
    rid: uint,
    nodeId: id,
    incarnation: uint,
    epoch: uint,
    keys: uint,
    bytes: uint,
  }),
  lease: of(T.lease, { rid: uint, epoch: uint, leaseMs: fc.integer({ min: 1, max: 10_000 }), clockUs: uint }),
  register: of(T.register, {
    rid: uint,
    nodeId: fc.oneof(id, fc.constant(-1)),
    incarnation: uint,
    host,
    port,
    pid: uint,
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
  query: of(T.query, { rid: uint, key }),
  queryResult: of(T.queryResult, { rid: uint, epoch: uint, slot, replicas: fc.array(id, { maxLength: 64 }) }),
  status: of(T.status, { rid: uint }),
  statusResult: of(T.statusResult, { rid: uint, json: fc.string({ unit: 'grapheme', maxLength: 500 }) }),
  scan: of(T.scan, { rid: uint, slot, scanId: uint, first: bool, prefix: key }),
  removed: of(T.removed, { incarnation: uint, epoch: uint }),
  stop: of(T.stop, {}),
  probe: of(T.probe, { rid: uint }),
  probeAck: of(T.probeAck, { rid: uint }),
};

/** What any msgpack decoder must make of a message: the layout, said a second time. */
function elementsOf(message: Message): unknown[] {
  if (message.type === T.copyBatch || message.type === T.scanBatch) {
    const entries = message.entries.map((e) => [
      ...[fromKeyBytes(e.key), ...numbersOf(e.version), e.valid, e.value, e.expiresAtMs, e.applied],
    ]);
    return [message.type, message.rid, message.done, ...entries];
  }
  return Object.entries(message).flatMap(([name, field]: [string, unknown]) => {
    if (name === 'version' || name === 'expected') return numbersOf(field as Version);
    if (name === 'key' || name === 'prefix') return [fromKeyBytes(field as string)];
    if (name === 'map' && field !== null) return [valuesOf(field)];
    return [field];
  });
}

function numbersOf({ hlc, clientId, seq, epoch }: Version): number[] {
  return [hlc, clientId, seq, epoch];
}

function valuesOf(record: unknown): unknown {
  if (Array.isArray(record)) return record.map(valuesOf);
  return typeof record === 'object' && record !== null ? Object.values(record).map(valuesOf) : record;
}

/** One of each, the same in every run. */
const samples = Object.values(messages).flatMap((arbitrary) => fc.sample(arbitrary, { numRuns: 3, seed: 7 }));

describe('codec', () => {
  for (const [name, arbitrary] of Object.entries(messages)) {
    it(`${name} comes back as it was, and two other decoders read the same from it`, () => {
      fc.assert(
        fc.property(arbitrary, (message) => {
          const frame = frameOf(message);
          const payload = frame.subarray(4);
          expect(frame.readUInt32BE()).to.equal(payload.length);
          expect(plain(decode(payload))).to.deep.equal(plain(message));
          const expected = plain(elementsOf(message));
          expect(plain(unpackr.unpack(payload))).to.deep.equal(expected);
          expect(plain(decodeOther(payload))).to.deep.equal(expected);
        }),
        { numRuns: 50 },
      );
    });
  }

  it('has an arbitrary for every type, so that none of these tests passes one over', () => {
    expect(Object.keys(messages)).to.have.members(Object.keys(MessageType));
    expect(new Set(samples.map(({ type }) => type))).to.have.property(
      'size',
      Object.keys(MessageType).length,
    );
  });

  it('reads what other encoders make of the same array', () => {
    for (const message of samples) {
      expect(plain(decodeArray(elementsOf(message)))).to.deep.equal(plain(message));
    }
  });

  it('encodes frame after frame into one buffer', () => {
    const writer = new MsgpackWriter(1);
    for (const message of samples) encodeMessage(writer, message);
    const decoder = new MessageDecoder({ frameBytesMax });
    const decoded: unknown[] = [];
    new FrameDecoder(frameBytesMax).push(writer.buf.subarray(0, writer.pos), (buffer, start, end) => {
      decoded.push(plain(decoder.decode(buffer, start, end)));
    });
    expect(decoded).to.deep.equal(samples.map(plain));
  });

  describe('scratch objects', () => {
    const write = (rid: number, byte: number): Message => ({
      type: T.write,
      rid,
      epoch: 1,
      kind: 0,
      version: { hlc: rid, clientId: 1, seq: 0, epoch: 0 },
      key: `k${rid}`,
      value: Uint8Array.of(byte),
      expiresAtMs: 0,
      applied: null,
    });

    it('a hot message is overwritten by the next of its type, and keepMessage makes one that lasts', () => {
      const decoder = new MessageDecoder({ frameBytesMax });
      const payload = payloadOf(write(1, 7));
      const first = decoder.decode(payload, 0, payload.length);
      const kept = keepMessage(first);
      const second = decoder.decode(payloadOf(write(2, 8)), 0, payload.length);
      expect(second).to.equal(first);
      expect(plain(first)).to.deep.equal(plain(write(2, 8)));
      payload.fill(0);
      expect(plain(kept)).to.deep.equal(plain(write(1, 7)));
    });

    it('messages of other types leave it alone', () => {
      const decoder = new MessageDecoder({ frameBytesMax });
      const message = decoder.decode(payloadOf(write(1, 7)), 0, payloadOf(write(1, 7)).length);
      for (const other of samples) {
        if (other.type === T.write) continue;
        const payload = payloadOf(other);
        decoder.decode(payload, 0, payload.length);
      }
      expect(plain(message)).to.deep.equal(plain(write(1, 7)));
    });

    it('a value is a view of the bytes it was read from', () => {
      const payload = payloadOf(write(1, 7));
      const message = decode(payload);
      expect(message).to.have.property('value').that.has.property('buffer', payload.buffer);
    });

    it('cold messages are fresh objects', () => {
      const decoder = new MessageDecoder({ frameBytesMax });
      const payload = payloadOf({ type: T.getMap, rid: 1, newerThan: 2 });
      expect(decoder.decode(payload, 0, payload.length)).to.not.equal(
        decoder.decode(payload, 0, payload.length),
      );
    });

    it('keepMessage keeps every kind of message', () => {
      for (const message of samples) {
        const payload = payloadOf(message);
        const kept = keepMessage(decode(payload));
        payload.fill(0xc1);
        expect(plain(kept)).to.deep.equal(plain(message));
      }
    });
  });

  describe('what is not a message', () => {
    const map: ClusterMapData = {
      clusterId: 'c',
      epoch: 5,
      settings: { ...defaultSettings, slotCount: 2 },
      nodes: [0, 1, 2].map((nodeId) => ({ id: nodeId, incarnation: 1, host: 'h', port: 1 })),
      slots: [newSlot([0, 1], 5), newSlot([1, 2], 5)],
    };
    const mapOf = (change: Partial<ClusterMapData>): unknown[] =>
      elementsOf({ type: T.map, rid: 1, map: fieldOrder({ ...map, ...change }) });
    /** Fields in their order on the wire, whatever order a literal has. */
    const fieldOrder = ({ clusterId, epoch, settings: s, nodes, slots }: ClusterMapData): ClusterMapData => ({
      clusterId,
      epoch,
      settings: {
        ...{ replicas: s.replicas, slotCount: s.slotCount, partitioner: s.partitioner },
        ...{ keyBytesMax: s.keyBytesMax, valueBytesMax: s.valueBytesMax, leaseMs: s.leaseMs },
        ...{ writeAgeMsMax: s.writeAgeMsMax, tombstoneMs: s.tombstoneMs },
      },
      nodes,
      slots: slots.map(({ changedAt, replicas, learners, joinedAt }) => ({
        ...{ changedAt, replicas, learners, joinedAt },
      })),
    });
    const slotsWith = (change: object): ClusterMapData['slots'] => [
      { ...newSlot([0, 1], 5), ...change },
      newSlot([1, 2], 5),
    ];
    const deep = (depth: number): Buffer => Buffer.concat([Buffer.alloc(depth, 0x91), Buffer.of(0xc0)]);

    const refused: [what: string, elements: unknown[] | Buffer, reason: RegExp][] = [
      ['nothing', Buffer.alloc(0), /bytes needed/],
      ['a number', Buffer.of(7), /expected an array/],
      ['an empty array', [], /without a type/],
      ['a type that is not a number', ['2', 1], /expected an unsigned integer/],
      ['an unknown hot type', [15, 1], /message type 15, unknown/],
      ['an unknown cold type', [200, 1], /message type 200, unknown/],
      ['a huge type', [2 ** 50, 1], /unknown/],
      ['an element too few', [T.ack], /has 2 elements, this one 1/],
      ['an element too many', [T.ack, 1, 2], /has 2 elements, this one 3/],
      ['a cold message with an element too many', [T.status, 1, 2], /has 2 elements, this one 3/],
      ['bytes after the message', Buffer.of(0x92, T.ack, 1, 0xc0), /1 bytes too many/],
      ['a negative rid', [T.ack, -1], /unsigned integer/],
      ['a fractional rid', [T.ack, 1.5], /unsigned integer/],
      ['a rid beyond 2^53', Buffer.of(0x92, T.ack, 0xcf, 0x7f, 0, 0, 0, 0, 0, 0, 0), /outside 0 to 2\^53/],
      [
        'a version beyond 2^53',
        Buffer.of(0x96, T.validate, 0xcf, 0xff, ...[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0xa0]),
        /outside/,
      ],
      ['an unknown kind of write', [T.write, 1, 1, 3, 1, 1, 0, 0, 'k', null, 0, null], /kind of write 3/],
      ['a value that is text', [T.write, 1, 1, 0, 1, 1, 0, 0, 'k', 'text', 0, null], /expected binary/],
      ['a key that is binary', [T.get, 1, false, Buffer.from('k')], /expected a string/],
      ['a key that is too long', [T.get, 1, false, 'k'.repeat(65_537)], /65537 bytes; the limit is 65536/],
      ['a flag that is a number', [T.get, 1, 0, 'k'], /expected true or false/],
      [
        'an applied list of an impossible length',
        [T.write, 1, 1, 0, 1, 1, 0, 0, 'k', null, 0, [1, 2, 3]],
        /3 numbers/,
      ],
      [
        'a huge applied list',
        [T.write, 1, 1, 0, 1, 1, 0, 0, 'k', null, 0, new Array(604).fill(1)],
        /604 numbers/,
      ],
      [
        'an entry with an element missing',
        [T.copyBatch, 1, true, ['k', 1, 1, 0, 0, true, null, 0]],
        /9 elements, this one 8/,
      ],
      ['an entry that is a number', [T.scanBatch, 1, true, 7], /expected an array/],
      ['a map where an array belongs', pack({ type: 2, rid: 1 }), /expected an array/],
      [
        'an object with the key __proto__',
        Buffer.concat([Buffer.of(0x92, T.ack, 0x81, 0xa9), Buffer.from('__proto__'), Buffer.of(0x80)]),
        /unsigned integer/,
      ],
      ['an extension type', Buffer.of(0x92, T.ack, 0xd4, 1, 1), /unsigned integer/],
      ['a timestamp', Buffer.of(0x92, T.ack, 0xd6, 0xff, 1, 2, 3, 4), /unsigned integer/],
      ['deep nesting', deep(100_000), /expected an unsigned integer/],
      [
        'deep nesting in a list',
        Buffer.concat([Buffer.of(0x94, T.fence, 1, 1), deep(100_000)]),
        /nesting deeper than 32/,
      ],
      ['a huge declared array', Buffer.of(0xdd, 0xff, 0xff, 0xff, 0xff), /4294967295 items declared/],
      [
        'a huge declared list',
        Buffer.of(0x94, T.fence, 1, 1, 0xdd, 0xff, 0xff, 0xff, 0xff),
        /items declared/,
      ],
      [
        'a huge declared value',
        Buffer.of(0x98, T.value, 1, 0xc3, 1, 1, 0, 0, 0xc6, 0xff, 0xff, 0xff, 0xff),
        /bytes needed/,
      ],
      ['a huge declared key', Buffer.of(0x94, T.get, 1, 0xc3, 0xdb, 0xff, 0xff, 0xff, 0xff), /the limit is/],
      [
        'a value cut short',
        Buffer.of(0x98, T.value, 1, 0xc3, 1, 1, 0, 0, 0xc4, 5, 1),
        /5 bytes needed, 1 left/,
      ],
      ['a key cut short', Buffer.of(0x94, T.get, 1, 0xc3, 0xa5, 0x61), /5 bytes needed, 1 left/],
      ['text that is not UTF-8', Buffer.of(0x93, T.error, 0xa1, 0x61, 0xa1, 0xff), /text that is not UTF-8/],
      ['a port of 0', [T.register, 1, -1, 0, 'h', 0, 1], /port 0, not 1 to 65535/],
      ['a port of 70000', [T.register, 1, -1, 0, 'h', 70_000, 1], /port 70000/],
      ['a node id of -2', [T.register, 1, -2, 0, 'h', 1, 1], /nodeId -2, not -1 to/],
      ['a node id above 2^31', [T.report, 1, 2 ** 31 + 1, 1, 1], /nodeId 2147483649/],
      ['a host name of 256 bytes', [T.register, 1, 1, 0, 'h'.repeat(256), 1, 1], /the limit is 255/],
      ['a slot of 65536', [T.copy, 1, 65_536, 1, true], /slot 65536/],
      ['65 replicas', [T.queryResult, 1, 1, 1, new Array(65).fill(1)], /65 replicas; the limit is 64/],
      ['a pair of three', [T.copyDone, 1, 1, [[1, 2, 3]]], /3 elements, not 2/],
      ['an unknown role', [T.hello, protocolVersion, 3, '', 0, 0], /role 3/],
      [
        'a map of two slots that says three',
        mapOf({ settings: { ...map.settings, slotCount: 3 } }),
        /2 slots whose settings say 3/,
      ],
      ['a map with a node twice', mapOf({ nodes: [...map.nodes, ...map.nodes] }), /a node twice/],
      [
        'a slot with a joinedAt too many',
        mapOf({ slots: slotsWith({ joinedAt: [5, 5, 5] }) }),
        /2 members and 3 joinedAt/,
      ],
      ['a slot with a member twice', mapOf({ slots: slotsWith({ replicas: [0, 0] }) }), /a member twice/],
      [
        'a learner that is a replica, too',
        mapOf({ slots: slotsWith({ learners: [1], joinedAt: [5, 5, 5] }) }),
        /a member twice/,
      ],
      ['a slot with a stranger', mapOf({ slots: slotsWith({ replicas: [0, 9] }) }), /node 9, not in the map/],
      [
        'a slot that changed in the future',
        mapOf({ slots: slotsWith({ changedAt: 6 }) }),
        /after the map's epoch/,
      ],
      [
        'a member that joined in the future',
        mapOf({ slots: slotsWith({ joinedAt: [5, 6] }) }),
        /after the map's epoch/,
      ],
      ['no replicas at all', mapOf({ settings: { ...map.settings, replicas: 0 } }), /replicas 0/],
      ['a lease of 0 ms', mapOf({ settings: { ...map.settings, leaseMs: 0 } }), /leaseMs 0/],
      [
        'tombstones that go before old writes',
        mapOf({ settings: { ...map.settings, tombstoneMs: 1 } }),
        /tombstoneMs 1/,
      ],
      ['4097 nodes', mapOf({ nodes: new Array(4097).fill(map.nodes[0]) as typeof map.nodes }), /4097 nodes/],
    ];
    for (const [what, elements, reason] of refused) {
      it(`refuses ${what}`, () => {
        const act = (): Message => (Buffer.isBuffer(elements) ? decode(elements) : decodeArray(elements));
        expect(act).to.throw(ProtocolError, reason);
      });
    }

    it('accepts the map that those are variants of', () => {
      expect(plain(decodeArray(mapOf({})))).to.deep.equal(plain({ type: T.map, rid: 1, map }));
    });

    it('refuses a frame above the limit', () => {
      const payload = payloadOf({ type: T.query, rid: 1, key: 'k'.repeat(100) });
      const decoder = new MessageDecoder({ frameBytesMax: 100 });
      expect(() => decoder.decode(payload, 0, payload.length)).to.throw(ProtocolError, /the limit is 100/);
    });

    it('reads the version, and no more, of a greeting of another protocol version', () => {
      expect(decodeArray([T.hello, 9, 'whatever', { a: 1 }])).to.include({
        type: T.hello,
        protocolVersion: 9,
      });
      expect(decodeArray([T.welcome, 9])).to.include({ type: T.welcome, protocolVersion: 9 });
    });

    it('does not read beyond its end into the next frame', () => {
      const payload = payloadOf({ type: T.get, rid: 70_000, versionOnly: false, key: 'abcdef' });
      for (let end = 0; end < payload.length; end++) {
        expect(() => new MessageDecoder({ frameBytesMax }).decode(payload, 0, end)).to.throw(ProtocolError);
      }
    });
  });

  describe('what cannot be encoded is a TypeError, and leaves nothing behind', () => {
    const wrong: [what: string, message: Message][] = [
      ['a rid that is not a number', { type: T.ack, rid: Number.NaN }],
      ['a negative rid', { type: T.ack, rid: -1 }],
      ['a fractional rid', { type: T.ack, rid: 0.5 }],
      ['a rid beyond 2^53', { type: T.ack, rid: 2 ** 53 }],
      ['a key with wide characters', { type: T.get, rid: 1, versionOnly: false, key: 'ключ' }],
      [
        'a long key with wide characters',
        { type: T.get, rid: 1, versionOnly: false, key: 'ключ'.repeat(20) },
      ],
      ['a host with a lone surrogate', { type: T.error, code: 'a', text: '\ud800' }],
      ['a text that is too long', { type: T.error, code: 'a', text: 'x'.repeat(5000) }],
      ['a slot out of range', { type: T.fence, rid: 1, epoch: 1, slots: [1, 70_000] }],
    ];
    for (const [what, message] of wrong) {
      it(what, () => {
        const writer = new MsgpackWriter();
        encodeMessage(writer, { type: T.ack, rid: 1 });
        const { pos } = writer;
        expect(() => {
          encodeMessage(writer, message);
        }).to.throw(TypeError, /cannot be encoded/);
        expect(writer.pos).to.equal(pos);
      });
    }
  });

  it('hostile bytes: 100,000 random and mutated frames give a message or a ProtocolError, and no memory', () => {
    const random = xorshift(12_345);
    const decoder = new MessageDecoder({ frameBytesMax });
    const payloads = samples
      .map((message) => Buffer.from(payloadOf(message)))
      .filter(({ length }) => length < 5000);
    const heapBefore = process.memoryUsage().heapUsed;
    let accepted = 0;
    let refused = 0;
    for (let i = 0; i < 100_000; i++) {
      const bytes = i % 4 === 0 ? randomBytes(random) : mutated(payloads[random(payloads.length)]!, random);
      try {
        decoder.decode(bytes, 0, bytes.length);
        accepted++;
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        refused++;
      }
    }
    expect(accepted).to.be.greaterThan(1000);
    expect(refused).to.be.greaterThan(10_000);
    expect(process.memoryUsage().heapUsed - heapBefore).to.be.lessThan(200 * 1024 * 1024);
    expect(Object.keys(Object.prototype)).to.deep.equal([]);
  });

  it('whatever is decoded can be encoded again and is the same then', () => {
    const random = xorshift(54_321);
    const payloads = samples
      .map((message) => Buffer.from(payloadOf(message)))
      .filter(({ length }) => length < 5000);
    for (let i = 0; i < 20_000; i++) {
      const bytes = mutated(payloads[random(payloads.length)]!, random);
      let message: Message;
      try {
        message = decode(bytes);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        continue;
      }
      if ('protocolVersion' in message && message.protocolVersion !== protocolVersion) continue;
      expect(plain(decode(payloadOf(message)))).to.deep.equal(plain(message));
    }
  });
});

/** Numbers from 0 up to `below`, always the same ones. */
function xorshift(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function randomBytes(random: (below: number) => number): Buffer {
  const bytes = Buffer.alloc(1 + random(64));
  for (let i = 0; i < bytes.length; i++) bytes[i] = random(256);
  // Often enough an array with a known type, or nothing would get past the first byte.
  if (random(2) === 0) bytes[0] = 0x90 | random(16);
  if (random(2) === 0) bytes[1] = random(55);
  return bytes;
}

const interesting = [
  0x00, 0x7f, 0x80, 0x90, 0xa0, 0xc0, 0xc1, 0xc4, 0xc6, 0xcf, 0xd3, 0xd9, 0xdb, 0xdd, 0xff,
];

function mutated(payload: Buffer, random: (below: number) => number): Buffer {
  const bytes = Buffer.from(payload);
  for (let changes = 1 + random(3); changes > 0; changes--) {
    const at = random(bytes.length);
    bytes[at] = random(2) === 0 ? random(256) : interesting[random(interesting.length)]!;
  }
  const cut = random(4);
  if (cut === 0) return bytes.subarray(0, random(bytes.length));
  if (cut === 1) return Buffer.concat([bytes, bytes.subarray(0, random(8))]);
  return bytes;
}
