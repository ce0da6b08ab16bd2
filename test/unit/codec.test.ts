import { decode as decodeOther } from '@msgpack/msgpack';
import { expect } from 'chai';
import fc from 'fast-check';
import { encodeMessage, keepMessage, MessageDecoder } from '../../src/protocol/codec.js';
import { ProtocolError } from '../../src/protocol/errors.js';
import { FrameDecoder } from '../../src/protocol/frame-decoder.js';
import { MessageType, protocolVersion } from '../../src/protocol/messages.js';
import type { Message } from '../../src/protocol/messages.js';
import { MsgpackWriter } from '../../src/protocol/msgpack-writer.js';
import {
  T,
  decode,
  decodeArray,
  elementsOf,
  frameBytesMax,
  frameOf,
  messages,
  payloadOf,
  plain,
  samples,
  unpackr,
} from '../support/codec-messages.js';
import { mutated, randomBytes, xorshift } from '../support/codec-mutations.js';

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
