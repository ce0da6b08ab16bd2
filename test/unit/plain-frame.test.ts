/** Frames that are read where they lie: the same as the decoder reads, or not at all. */
import { decode as decodeOther } from '@msgpack/msgpack';
import { expect } from 'chai';
import fc from 'fast-check';
import { ridsOf, payloadsIn } from '../support/plain-frames.js';
import { runLengthMax } from '../../src/protocol/hot-codec.js';
import { MessageType, WriteKind } from '../../src/protocol/messages.js';
import type { Message, PlainValue, WriteMessage } from '../../src/protocol/messages.js';
import { MsgpackWriter } from '../../src/protocol/msgpack-writer.js';
import {
  encodePlainValue,
  firstRidAt,
  PlainFrame,
  plainTypeOf,
  ridAt,
  ridBytes,
} from '../../src/protocol/plain-frame.js';
import { clientIdEnd } from '../../src/protocol/version.js';
import { decode, messages, payloadOf, plain, unpackr } from '../support/codec-messages.js';

/** What is read of a payload that lies somewhere in a chunk; null: it is left to the decoder. */
function read(payload: Buffer, before = 3, after = 40): Message | null {
  const chunk = Buffer.concat([Buffer.alloc(before, 0xcf), payload, Buffer.alloc(after, 0xcf)]);
  const [start, end] = [before, before + payload.length];
  const frame = new PlainFrame();
  const key = (): string => frame.key.text;
  switch (plainTypeOf(chunk, start)) {
    case MessageType.get:
      if (!frame.readGet(chunk, start, end)) return null;
      return { type: MessageType.get, rid: frame.rid, versionOnly: false, key: key() };
    case MessageType.write: {
      if (!frame.readWrite(chunk, start, end)) return null;
      const { rid, epoch, hlc, clientId, memory, memoryOffset, valueAt, valueLength } = frame;
      const value = new Uint8Array(memory, memoryOffset + valueAt, valueLength);
      const version = { hlc, clientId, seq: 0, epoch: 0 };
      const rest = { kind: WriteKind.plain, expiresAtMs: 0, applied: null };
      return { type: MessageType.write, rid, epoch, version, key: key(), value, ...rest };
    }
    default:
      return null;
  }
}

/** As a client sends most. */
const plainWrite = fc.record({
  type: fc.constant(MessageType.write),
  rid: fc.nat(2 ** 31 - 1),
  epoch: fc.oneof(fc.nat(300), fc.nat(2 ** 31 - 1)),
  kind: fc.constant(WriteKind.plain),
  version: fc.record({
    hlc: fc.integer({ min: 2 ** 32, max: Number.MAX_SAFE_INTEGER }),
    clientId: fc.oneof(fc.integer({ min: 1, max: 70_000 }), fc.integer({ min: 1, max: clientIdEnd - 1 })),
    seq: fc.constant(0),
    epoch: fc.constant(0),
  }),
  key: fc.string({ minLength: 1, maxLength: 255, unit: 'binary-ascii' }),
  value: fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(new Uint8Array(65_535))),
  expiresAtMs: fc.constant(0),
  applied: fc.constant(null),
});

describe('plain frames', () => {
  it('a plain WRITE, and a GET of the value, are read as the decoder reads them', () => {
    fc.assert(
      fc.property(plainWrite, (message) => {
        const write = message as WriteMessage;
        expect(plain(read(payloadOf(write)))).to.deep.equal(plain(write));
        const get = { type: MessageType.get, rid: write.rid, versionOnly: false, key: write.key } as const;
        expect(plain(read(payloadOf(get)))).to.deep.equal(plain(get));
      }),
      { numRuns: 500 },
    );
  });

  it('whatever else is sent is read the same as by the decoder, or left to it', () => {
    for (const arbitrary of [messages.write, messages.get, messages.validate, messages.ack, messages.value]) {
      fc.assert(
        fc.property(arbitrary, (message) => {
          const payload = payloadOf(message);
          for (const after of [0, 40]) {
            const found = read(payload, 3, after);
            if (found !== null) expect(plain(found)).to.deep.equal(plain(message));
          }
        }),
        { numRuns: 300 },
      );
    }
  });

  it('whatever bytes come are read the same as by the decoder, or left to it', () => {
    fc.assert(
      fc.property(plainWrite, fc.nat(), fc.nat(255), fc.nat(60), (message, at, byte, cut) => {
        const whole = payloadOf(message);
        for (const good of [
          whole,
          payloadOf({ type: MessageType.get, rid: 70_000, versionOnly: false, key: message.key }),
        ]) {
          const bad = Buffer.from(good);
          bad[at % Math.min(bad.length, 90)] = byte;
          for (const payload of [bad, bad.subarray(0, bad.length - (cut % bad.length))]) {
            const found = read(payload);
            if (found !== null) expect(plain(decode(payload))).to.deep.equal(plain(found));
          }
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('a VALIDATE of whole request ids is looked through, and no other', () => {
    const frame = new PlainFrame();
    const run = (...rids: number[]): Buffer => {
      const bytes = Buffer.alloc(firstRidAt + ridBytes * rids.length, 0xce);
      bytes.set([0xdc, (rids.length + 1) >> 8, rids.length + 1, MessageType.validate]);
      rids.forEach((rid, i) => bytes.writeUInt32BE(rid, firstRidAt + ridBytes * i + 1));
      return bytes;
    };
    for (const rids of [[1], [70_000, 2 ** 31 - 1], Array.from({ length: 3000 }, (_, i) => i)]) {
      const bytes = run(...rids);
      expect(plainTypeOf(bytes, 0)).to.equal(MessageType.validate);
      expect(frame.readValidate(bytes, 0, bytes.length)).to.equal(true);
      const found = rids.map((_, i) => ridAt(bytes, firstRidAt + ridBytes * i));
      expect(found).to.deep.equal(rids);
      expect(ridsOf(bytes)).to.deep.equal(rids);
      expect(frame.readValidate(bytes, 0, bytes.length - 1)).to.equal(false);
    }
    const none = run();
    expect(frame.readValidate(none, 0, none.length)).to.equal(false);
    const short = run(1, 2);
    short[firstRidAt + ridBytes] = 0xcd;
    expect(frame.readValidate(short, 0, short.length)).to.equal(false);
    const claimsMore = run(1);
    claimsMore[2] = 9;
    expect(frame.readValidate(claimsMore, 0, claimsMore.length)).to.equal(false);
    const longer = run(...new Array<number>(runLengthMax + 1).fill(7));
    expect(frame.readValidate(longer, 0, longer.length)).to.equal(false);
  });

  it('a value is written as any msgpack decoder reads it', () => {
    fc.assert(
      fc.property(plainWrite, ({ rid, version, value }) => {
        const memory = Uint8Array.from([9, ...value, 9]);
        const { hlc, clientId } = version;
        const plainValue: PlainValue = { hlc, clientId, memory: memory.buffer, at: 1, length: value.length };
        const writer = new MsgpackWriter(1);
        encodePlainValue(writer, rid, plainValue);
        encodePlainValue(writer, rid, plainValue);
        const [payload, second] = payloadsIn(writer);
        expect(payload).to.deep.equal(second);
        const expected = { type: MessageType.value, rid, present: true, version, value };
        expect(plain(decode(payload!))).to.deep.equal(plain(expected));
        const elements = [MessageType.value, rid, true, hlc, clientId, 0, 0, value];
        expect(plain(unpackr.unpack(payload!))).to.deep.equal(plain(elements));
        expect(plain(decodeOther(payload!))).to.deep.equal(plain(elements));
      }),
      { numRuns: 100 },
    );
  });

  it('a writer with an id of more than 48 bits is none', () => {
    const write = { ...(fc.sample(plainWrite, 1)[0] as WriteMessage) };
    const bad = { ...write, version: { ...write.version, clientId: clientIdEnd } };
    expect(read(payloadOf(bad))).to.equal(null);
    expect(() => decode(payloadOf(bad))).to.throw('a writer with id');
  });
});
