import { expect } from 'chai';
import fc from 'fast-check';
import { Buffer } from 'node:buffer';
import { FrameDecoder, FrameError } from '../../src/protocol/frame-decoder.js';
import { giveBuffer, takeBuffer, takeSpare } from '../../src/protocol/spare-buffers.js';
import { drainSpareBuffers } from '../support/spare-buffers.js';

const mebibyte = 1024 * 1024;

function frame(payload: Uint8Array): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(payload.length);
  return Buffer.concat([header, payload]);
}

function header(payloadLength: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(payloadLength);
  return bytes;
}

/** Copies each payload: it is lent only for the call. */
function collector(): { payloads: Buffer[]; onFrame: (buffer: Buffer, start: number, end: number) => void } {
  const payloads: Buffer[] = [];
  return {
    payloads,
    onFrame: (buffer, start, end) => payloads.push(Buffer.from(buffer.subarray(start, end))),
  };
}

function ignore(): void {}

/** Cuts `bytes` into chunks of the given lengths, over and over. */
function* chunksOf(bytes: Buffer, lengths: readonly number[]): Generator<Buffer> {
  for (let pos = 0, i = 0; pos < bytes.length; i++) {
    const length = lengths[i % lengths.length] ?? 1;
    yield bytes.subarray(pos, pos + length);
    pos += length;
  }
}

/** Sizes of the buffers that are allocated while `work` runs. */
function allocationsDuring(work: () => void): number[] {
  const sizes: number[] = [];
  const original = Buffer.allocUnsafeSlow;
  Buffer.allocUnsafeSlow = (size) => {
    sizes.push(size);
    return original(size);
  };
  try {
    work();
  } finally {
    Buffer.allocUnsafeSlow = original;
  }
  return sizes;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

describe('FrameDecoder', () => {
  it('delivers the same frames however the stream is cut', () => {
    const payload = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.uint8Array({ minLength: 100, maxLength: 700, size: 'max' }),
    );
    const lengths = fc.array(fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 400 })), {
      minLength: 1,
    });
    fc.assert(
      fc.property(fc.array(payload), lengths, (payloads, chunkLengths) => {
        const decoder = new FrameDecoder(1000);
        const { payloads: got, onFrame } = collector();
        for (const chunk of chunksOf(Buffer.concat(payloads.map(frame)), chunkLengths)) {
          // A socket may reuse the memory of a chunk once the push has returned.
          const lent = Buffer.from(chunk);
          decoder.push(lent, onFrame);
          lent.fill(0xee);
        }
        expect(got).to.deep.equal(payloads.map((bytes) => Buffer.from(bytes)));
        expect(decoder.bufferedBytes).to.equal(0);
      }),
    );
  });

  it('lends a frame that lies in one chunk where it is', () => {
    const chunk = Buffer.concat([frame(Buffer.from('first')), frame(Buffer.from('second'))]);
    const places: [Buffer, number, number][] = [];
    new FrameDecoder(100).push(chunk, (...place) => places.push(place));
    expect(places.map(([buffer]) => buffer === chunk)).to.deep.equal([true, true]);
    expect(places.map(([, ...range]) => range)).to.deep.equal([
      [4, 9],
      [13, 19],
    ]);
  });

  it('counts the bytes of an unfinished frame, its length included', () => {
    const decoder = new FrameDecoder(100);
    const counts = [...chunksOf(frame(Buffer.from('abc')), [1])].map((chunk) => {
      decoder.push(chunk, ignore);
      return decoder.bufferedBytes;
    });
    expect(counts).to.deep.equal([1, 2, 3, 4, 5, 6, 0]);
  });

  it('accepts the longest frame and none longer', () => {
    const { payloads, onFrame } = collector();
    new FrameDecoder(10).push(frame(Buffer.alloc(10)), onFrame);
    expect(payloads).to.have.lengthOf(1);
    expect(() => new FrameDecoder(10).push(header(11), onFrame)).to.throw(
      FrameError,
      '11 bytes; the limit is 10',
    );
    expect(() => new FrameDecoder(mebibyte).push(header(0xffffffff), onFrame)).to.throw(
      FrameError,
      '4294967295',
    );
    expect(() => new FrameDecoder(10).push(header(0), onFrame)).to.throw(FrameError, '0 bytes');
  });

  it('judges a length as soon as its fourth byte has come', () => {
    for (const length of [0, 11]) {
      const decoder = new FrameDecoder(10);
      const bytes = header(length);
      decoder.push(bytes.subarray(0, 3), ignore);
      expect(() => decoder.push(bytes.subarray(3), ignore)).to.throw(FrameError);
    }
  });

  it('delivers the frames before a bad length, then nothing any more', () => {
    const decoder = new FrameDecoder(10);
    const { payloads, onFrame } = collector();
    const good = frame(Buffer.from('good'));
    expect(() => decoder.push(Buffer.concat([good, header(0), good]), onFrame)).to.throw(FrameError);
    decoder.push(good, onFrame);
    expect(payloads.map(String)).to.deep.equal(['good']);
    expect(decoder.bufferedBytes).to.equal(0);
  });

  it('drops the rest of the chunk when stopped from within a frame, and every later chunk', () => {
    const decoder = new FrameDecoder(10);
    const seen: string[] = [];
    const onFrame = (buffer: Buffer, start: number, end: number): void => {
      seen.push(buffer.toString('utf8', start, end));
      if (seen.length === 2) decoder.stop();
    };
    const bytes = Buffer.concat(['a', 'b', 'c'].map((text) => frame(Buffer.from(text))));
    decoder.push(bytes, onFrame);
    decoder.push(bytes, onFrame);
    expect(seen).to.deep.equal(['a', 'b']);
    expect(decoder.bufferedBytes).to.equal(0);
  });

  it('passes on what the callback throws, and reads no further', () => {
    const decoder = new FrameDecoder(10);
    const bytes = frame(Buffer.from('x'));
    const failure = new Error('callback');
    const failing = (): void => {
      throw failure;
    };
    expect(() => decoder.push(Buffer.concat([bytes, bytes.subarray(0, 2)]), failing)).to.throw(failure);
    decoder.push(bytes, () => expect.fail('a frame after the error'));
    expect(decoder.bufferedBytes).to.equal(0);
  });

  describe('memory', () => {
    it('follows the bytes received, not the length declared', () => {
      const decoders = Array.from({ length: 100 }, () => new FrameDecoder(16 * mebibyte));
      const start = Buffer.concat([header(16 * mebibyte), Buffer.alloc(10)]);
      const sizes = allocationsDuring(() => {
        for (const decoder of decoders) decoder.push(start, ignore);
      });
      expect(decoders.map((decoder) => decoder.bufferedBytes)).to.deep.equal(decoders.map(() => 14));
      expect(sum(sizes)).to.be.at.most(100 * 64);
    });

    it('is allocated once per doubling for a large frame, whatever the chunks', () => {
      for (const [frameBytes, chunkBytes] of [
        [16 * mebibyte, 64 * 1024],
        [mebibyte, 1],
      ] as const) {
        const decoder = new FrameDecoder(frameBytes);
        const { payloads, onFrame } = collector();
        const payload = Buffer.alloc(frameBytes, 'gtstore');
        const bytes = frame(payload);
        const sizes = allocationsDuring(() => {
          for (const chunk of chunksOf(bytes, [chunkBytes])) decoder.push(chunk, onFrame);
        });
        expect(payloads).to.have.lengthOf(1);
        expect(payload.equals(payloads[0] ?? Buffer.alloc(0))).to.equal(true);
        expect(sizes.length).to.be.below(20);
        expect(sum(sizes)).to.be.below(3 * frameBytes);
      }
    });

    it('of one large frame serves the next ones, which may be a little longer', () => {
      const payloads = [1, 1.01, 0.99].map((share) => Buffer.alloc(Math.floor(share * mebibyte), `${share}`));
      const decoder = new FrameDecoder(2 * mebibyte);
      const { payloads: got, onFrame } = collector();
      const push = (payload: Buffer): void => {
        for (const chunk of chunksOf(frame(payload), [64 * 1024])) decoder.push(chunk, onFrame);
      };
      payloads.forEach(push);
      const sizes = allocationsDuring(() => {
        payloads.forEach(push);
      });
      expect(sizes).to.deep.equal([]);
      expect(got).to.deep.equal([...payloads, ...payloads]);
    });

    it('of a spare buffer is lent to a frame only when a good part of it has come', () => {
      drainSpareBuffers();
      const spare = takeBuffer(mebibyte);
      giveBuffer(spare);
      const decoder = new FrameDecoder(2 * mebibyte);
      decoder.push(Buffer.concat([header(mebibyte), Buffer.alloc(mebibyte / 8 - 1)]), ignore);
      expect(takeSpare(mebibyte)).to.equal(spare);
      giveBuffer(spare);
      decoder.push(Buffer.alloc(mebibyte / 8 + 1), ignore);
      expect(takeSpare(mebibyte)).to.equal(undefined);
    });

    it('does not hold a chunk for the few bytes it left over', () => {
      const chunk = Buffer.concat([frame(Buffer.alloc(60_000)), header(100), Buffer.from('left over')]);
      const decoder = new FrameDecoder(100_000);
      decoder.push(chunk, ignore);
      decoder.push(Buffer.alloc(91), (buffer, start, end) => {
        expect(buffer.buffer.byteLength).to.be.at.most(100);
        expect(buffer.toString('latin1', start, end).startsWith('left over')).to.equal(true);
      });
      expect(decoder.bufferedBytes).to.equal(0);
    });
  });
});
