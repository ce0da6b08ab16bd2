import { expect } from 'chai';
import { MessageType } from '../../src/protocol/messages.js';
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
