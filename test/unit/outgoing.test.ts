import { expect } from 'chai';
import { encodeMessage } from '../../src/protocol/codec.js';
import { MessageType } from '../../src/protocol/messages.js';
import type { Message } from '../../src/protocol/messages.js';
import { MsgpackWriter } from '../../src/protocol/msgpack-writer.js';
import { Outgoing } from '../../src/transport/outgoing.js';

/** More than there are large chunks. */
const connections = 1000;
const valueBytes = 10_000;
const megabyte = 2 ** 20;

class Wire {
  readonly chunks: Buffer[] = [];
  readonly out = new Outgoing({
    write: (bytes) => {
      this.chunks.push(Buffer.from(bytes));
      return true;
    },
    onWritten: () => undefined,
    onOverflow: () => undefined,
  });

  /** Some small messages and a large one, in one turn of the loop. */
  append(rid: number): void {
    const { out } = this;
    out.append({ type: MessageType.ping, rid });
    out.append({ type: MessageType.copyBatch, rid, entries: [entry], done: true });
    out.append({ type: MessageType.ping, rid });
  }
}

const entry = {
  key: 'k',
  version: { hlc: 1, clientId: 1, seq: 0, epoch: 1 },
  valid: true,
  value: new Uint8Array(valueBytes).fill(7),
  expiresAtMs: 0,
  applied: null,
};

describe('what many connections send in one turn of the loop', () => {
  const wires = Array.from({ length: connections }, () => new Wire());
  const turn = (rid: number): void => {
    for (const wire of wires) wire.append(rid);
    for (const wire of wires) wire.out.flush();
  };

  it('is whole, each on its own connection', () => {
    turn(1);
    turn(1);
    const [first] = wires;
    const expected = Buffer.concat(first?.chunks ?? []);
    expect(expected.length).to.be.greaterThan(2 * valueBytes);
    for (const { chunks } of wires) expect(Buffer.concat(chunks).equals(expected)).to.equal(true);
  });

  it('takes little room, and that from what was used before', () => {
    const before = process.memoryUsage().arrayBuffers;
    for (let times = 0; times < 3; times++) {
      for (const { out } of wires) out.append({ type: MessageType.ping, rid: 1 });
      expect(process.memoryUsage().arrayBuffers - before).to.be.lessThan(10 * megabyte);
      for (const { out } of wires) out.flush();
    }
  });
});

/** Takes bytes when it is told to, and until then has no more of them than where they are. */
class SlowWire {
  readonly got: Buffer[] = [];
  overflows = 0;
  #held: Buffer[] = [];
  #written: (() => void)[] = [];
  readonly out = new Outgoing({
    write: (bytes, written) => {
      this.#held.push(bytes);
      this.#written.push(written);
      return false;
    },
    onWritten: () => undefined,
    onOverflow: () => {
      this.overflows++;
    },
  });

  /** Everything that waits, and what is written because of that. */
  take(): void {
    while (this.#held.length > 0) {
      this.got.push(...this.#held.map((bytes) => Buffer.from(bytes)));
      this.#held = [];
      for (const written of this.#written.splice(0)) written();
    }
  }

  get bytes(): Buffer {
    return Buffer.concat(this.got);
  }
}

describe('a large message for several connections', () => {
  const large = (rid: number): Message => ({
    type: MessageType.value,
    rid,
    present: true,
    version: entry.version,
    value: new Uint8Array(megabyte).fill(rid),
  });
  const encoded = (...messages: Message[]): Buffer => {
    const writer = new MsgpackWriter();
    for (const message of messages) encodeMessage(writer, message);
    return Buffer.from(writer.buf.subarray(0, writer.pos));
  };
  const broadcast = ([first, ...others]: SlowWire[], message: Message): void => {
    const bytes = first?.out.append(message) ?? 0;
    for (const { out } of others) if (first !== undefined) out.appendLastOf(first.out, bytes);
  };

  it('is held once, and until the slowest has it, whatever is sent before and after', () => {
    const wires = [new SlowWire(), new SlowWire(), new SlowWire()];
    const [quick, , slow] = wires;
    slow?.out.append({ type: MessageType.ping, rid: 5 });
    const message = large(1);
    const before = process.memoryUsage().arrayBuffers;
    broadcast(wires, message);
    expect(process.memoryUsage().arrayBuffers - before).to.be.lessThan(1.5 * megabyte);
    for (const { out } of wires) out.append({ type: MessageType.ping, rid: 6 });
    for (const { out } of wires) out.flush();
    quick?.take();
    // Into whatever is free by now.
    broadcast(wires, large(2));
    for (const { out } of wires) out.flush();
    for (const wire of wires) wire.take();

    const [ping5, ping6] = [5, 6].map((rid): Message => ({ type: MessageType.ping, rid }));
    if (ping5 === undefined || ping6 === undefined) throw new Error('two pings');
    const rest = encoded(large(1), ping6, large(2));
    for (const wire of wires) {
      const expected = wire === slow ? Buffer.concat([encoded(ping5), rest]) : rest;
      expect(wire.bytes.equals(expected)).to.equal(true);
      expect(wire.out.bufferedBytes).to.equal(0);
    }
  });

  it('of a connection that is given up stays as it is until the socket has let go of its beginning', () => {
    const wire = new SlowWire();
    const message = large(5);
    wire.out.append(message);
    wire.out.flush();
    wire.out.discard();
    // Into whatever is free.
    const others = [new SlowWire(), new SlowWire()];
    for (const { out } of others) out.append(large(6));
    wire.take();
    expect(wire.bytes.equals(encoded(message).subarray(0, wire.bytes.length))).to.equal(true);
    expect(wire.bytes.length).to.be.within(1, megabyte);
  });

  it('is too much for each of them alike, the one that it was encoded for included', () => {
    const wires = [new SlowWire(), new SlowWire()];
    for (const { out } of wires) out.bytesMax = 4 * megabyte;
    for (let rid = 1; rid <= 4; rid++) broadcast(wires, large(rid));
    expect(wires.map(({ overflows }) => overflows)).to.deep.equal([0, 0]);
    for (let rid = 5; rid <= 6; rid++) broadcast(wires, large(rid));
    for (const { overflows } of wires) expect(overflows).to.be.greaterThan(0);
  });

  it('reaches the others when one of them is given up', () => {
    const wires = [new SlowWire(), new SlowWire(), new SlowWire()];
    broadcast(wires, large(3));
    wires[0]?.out.discard();
    broadcast(wires.slice(1), large(4));
    for (const { out } of wires) out.flush();
    for (const wire of wires) wire.take();
    expect(wires.map(({ bytes }) => bytes.length > 0)).to.deep.equal([false, true, true]);
    for (const wire of wires.slice(1)) expect(wire.bytes.equals(encoded(large(3), large(4)))).to.equal(true);
  });
});

describe('what a peer does not take at once', () => {
  const kibibyte = 1024;
  const large: Message = {
    type: MessageType.value,
    rid: 1,
    present: true,
    version: entry.version,
    value: new Uint8Array(megabyte),
  };
  let nowMs: number;
  let out: Outgoing;
  let given: { bytes: number; written: () => void }[];
  beforeEach(() => {
    nowMs = 0;
    given = [];
    const write = ({ length }: Buffer, written: () => void): boolean => {
      given.push({ bytes: length, written });
      return false;
    };
    out = new Outgoing({ write, onWritten: () => undefined, onOverflow: () => undefined }, () => nowMs);
    out.bytesMax = 64 * megabyte;
  });
  /** The next burst, in KiB, and so long until the peer has taken it. */
  const burst = (ms: number): number => {
    const pieces = given;
    given = [];
    nowMs += ms;
    for (const { written } of pieces) written();
    return pieces.reduce((sum, { bytes }) => sum + bytes, 0) / kibibyte;
  };
  const bursts = (ms: number, count: number): number[] => Array.from({ length: count }, () => burst(ms));

  it('goes in bursts that grow while they are quick, up to 512 KiB, and become short again on a slow line', () => {
    for (let n = 0; n < 24; n++) out.append(large);
    out.flush();
    expect(bursts(10, 4)).to.deep.equal([256, 512, 512, 512]);
    expect(bursts(50, 2)).to.deep.equal([512, 512]);
    expect(bursts(300, 3)).to.deep.equal([512, 256, 256]);
  });

  it('goes in short bursts where only the end of something short was quick', () => {
    for (let n = 0; n < 8; n++) {
      out.append({ type: MessageType.ping, rid: n });
      out.flush();
      out.append({ type: MessageType.ping, rid: n });
      out.flush();
      burst(1);
      burst(1);
    }
    for (let n = 0; n < 4; n++) out.append(large);
    out.flush();
    expect(bursts(50, 2)).to.deep.equal([256, 256]);
  });
});
