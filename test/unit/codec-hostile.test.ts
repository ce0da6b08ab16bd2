import { expect } from 'chai';
import { MessageDecoder } from '../../src/protocol/codec.js';
import { newSlot } from '../../src/protocol/cluster-map.js';
import type { ClusterMapData } from '../../src/protocol/cluster-map.js';
import { ProtocolError } from '../../src/protocol/errors.js';
import { PeerRole, protocolVersion } from '../../src/protocol/messages.js';
import type { Message } from '../../src/protocol/messages.js';
import { runLengthMax } from '../../src/protocol/hot-codec.js';
import { requestTypes } from '../../src/protocol/requests.js';
import { defaultSettings } from '../../src/protocol/settings.js';
import {
  T,
  decode,
  decodeArray,
  elementsOf,
  frameBytesMax,
  pack,
  payloadOf,
  plain,
} from '../support/codec-messages.js';

describe('codec: what is not a message', () => {
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
      ...{ durability: s.durability, copyBytesPerSecondMax: s.copyBytesPerSecondMax },
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
    ['an element too many', [T.ping, 1, 2], /has 2 elements, this one 3/],
    ['a cold message with an element too many', [T.status, 1, 2], /has 2 elements, this one 3/],
    ['bytes after the message', Buffer.of(0x92, T.ack, 1, 0xc0), /1 bytes too many/],
    ['a negative rid', [T.ack, -1], /unsigned integer/],
    ['a fractional rid', [T.ack, 1.5], /unsigned integer/],
    ['a rid beyond 2^53', Buffer.of(0x92, T.ack, 0xcf, 0x7f, 0, 0, 0, 0, 0, 0, 0), /outside 0 to 2\^53/],
    [
      'a version beyond 2^53',
      Buffer.of(0x98, T.value, 1, 0xc3, 0xcf, 0x7f, ...[0, 0, 0, 0, 0, 0, 0], ...[1, 0, 0, 0xc0]),
      /outside 0 to 2\^53/,
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
      Buffer.concat([Buffer.of(0x93, T.map, 1, 0x81, 0xa9), Buffer.from('__proto__'), Buffer.of(0x80)]),
      /the key __proto__/,
    ],
    ['an extension type', Buffer.of(0x93, T.error, 0xa1, 0x61, 0xd4, 1, 1), /an extension type/],
    ['a timestamp', Buffer.of(0x93, T.error, 0xa1, 0x61, 0xd6, 0xff, 1, 2, 3, 4), /an extension type/],
    ['deep nesting', deep(100_000), /expected an unsigned integer/],
    [
      'deep nesting in a list',
      Buffer.concat([Buffer.of(0x94, T.fence, 1, 1), deep(100_000)]),
      /nesting deeper than 32/,
    ],
    ['a huge declared array', Buffer.of(0xdd, 0xff, 0xff, 0xff, 0xff), /4294967295 items declared/],
    ['a huge declared list', Buffer.of(0x94, T.fence, 1, 1, 0xdd, 0xff, 0xff, 0xff, 0xff), /items declared/],
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
    ['a port of 0', [T.register, 1, -1, 0, 'h', 0, 1, '', false, ['', [], 0]], /port 0, not 1 to 65535/],
    ['a port of 70000', [T.register, 1, -1, 0, 'h', 70_000, 1, '', false, ['', [], 0]], /port 70000/],
    ['a node id of -2', [T.register, 1, -2, 0, 'h', 1, 1, '', false, ['', [], 0]], /nodeId -2, not -1 to/],
    ['a node id above 2^31', [T.report, 1, 2 ** 31 + 1, 1, 1], /nodeId 2147483649/],
    [
      'a host name of 256 bytes',
      [T.register, 1, 1, 0, 'h'.repeat(256), 1, 1, '', false, ['', [], 0]],
      /the limit is 255/,
    ],
    ['a slot of 65536', [T.copy, 1, 65_536, 1, true], /slot 65536/],
    ['65 replicas', [T.queryResult, 1, 1, 1, new Array(65).fill(1)], /65 replicas; the limit is 64/],
    ['a pair of three', [T.copyDone, 1, 1, [[1, 2, 3]]], /3 elements, not 2/],
    ['an unknown role', [T.hello, protocolVersion, 3, '', 0, 0], /role 3/],
    [
      'a map of two slots that says three',
      mapOf({ settings: { ...map.settings, slotCount: 3 } }),
      /2 slots whose settings say 3/,
    ],
    [
      'a map with a partitioner that nobody here knows',
      mapOf({ settings: { ...map.settings, partitioner: 'dice' } }),
      /partitioner 'dice', unknown here; update gtstore/,
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
    ['many maps, where no message has one', [T.getMap, new Array(17).fill({})], /too many maps/],
    ['4097 nodes', mapOf({ nodes: new Array(4097).fill(map.nodes[0]) as typeof map.nodes }), /4097 nodes/],
  ];
  for (const [what, host, label] of [
    ['a host with the end of a line', 'h\n2026 error', ''],
    ['a label that colours the terminal', 'h', '\u001b[31mrack'],
    ['a label that turns the text round', 'h', 'rack \u202e1'],
    ['a label with a separator of lines', 'h', 'rack\u20281'],
  ] as const) {
    const elements = [T.register, 1, -1, 0, host, 7, 7, label, false, ['', [], 0]];
    refused.push([what, elements, /character that cannot be printed/]);
  }
  for (const [what, elements, reason] of refused) {
    it(`refuses ${what}`, () => {
      const act = (): Message => (Buffer.isBuffer(elements) ? decode(elements) : decodeArray(elements));
      expect(act).to.throw(ProtocolError, reason);
    });
  }

  it('accepts any other label of a host', () => {
    const label = 'Göteborg, rack 1 / 北京 👩‍🚀';
    const register = decodeArray([T.register, 1, -1, 0, 'h', 7, 7, label, false, ['', [], 0]]);
    expect(register).to.have.property('hostLabel', label);
  });

  it('accepts the map that those are variants of', () => {
    expect(plain(decodeArray(mapOf({})))).to.deep.equal(plain({ type: T.map, rid: 1, map }));
  });

  for (const [what, head, itemsMax] of [
    ['of a kind that has none', [0x92, T.getMap], 2 + 2 + 1024],
    ['of a kind that has some', [0x94, T.fence, 1, 1], 2 + 3 + 65_536 + 1024],
    ['of the kind that has most', [0x93, T.map, 1], 2 ** 21],
  ] as const) {
    it(`refuses items by the million before they become objects: in a message ${what}`, () => {
      const count = 3 * 2 ** 20;
      const list = Buffer.of(0xdd, 0, 0, 0, 0);
      list.writeUInt32BE(count, 1);
      const payload = Buffer.concat([Buffer.of(...head), list, Buffer.alloc(count, 0x90)]);
      const before = process.memoryUsage().heapUsed;
      expect(() => decode(payload)).to.throw(ProtocolError, `more than ${itemsMax} items`);
      expect(process.memoryUsage().heapUsed - before).to.be.lessThan(10_000_000);
    });
  }

  it('refuses a run that is longer than ours are: it is handed on whole', () => {
    for (const type of [T.ack, T.validate]) {
      const rids = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
      expect(decodeArray([type, ...rids(runLengthMax)])).to.deep.equal({ type, rid: 0 });
      expect(() => decodeArray([type, ...rids(runLengthMax + 1)])).to.throw(
        ProtocolError,
        /the limit is 4096/,
      );
    }
  });

  it('refuses what only answers have before anything is made of it, from whoever has only requests', () => {
    const ofClient = new MessageDecoder({ frameBytesMax, types: requestTypes(PeerRole.client) });
    const ofNode = new MessageDecoder({ frameBytesMax, types: requestTypes(PeerRole.node) });
    const batch = elementsOf({ type: T.copyBatch, rid: 1, entries: [], done: true });
    const copyDone = elementsOf({ type: T.copyDone, nodeId: 1, incarnation: 1, slots: [] });
    const read = (decoder: MessageDecoder, elements: unknown[]): Message => {
      const payload = pack(elements);
      return decoder.decode(payload, 0, payload.length);
    };
    for (const elements of [mapOf({}), batch, copyDone])
      expect(() => read(ofClient, elements)).to.throw(ProtocolError, /not for you to send/);
    for (const elements of [mapOf({}), batch])
      expect(() => read(ofNode, elements)).to.throw(ProtocolError, /not for you to send/);
    expect(read(ofNode, copyDone)).to.include({ type: T.copyDone });
    for (const decoder of [ofClient, ofNode])
      expect(read(decoder, elementsOf({ type: T.getMap, rid: 1, newerThan: 2 }))).to.include({
        newerThan: 2,
      });
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
