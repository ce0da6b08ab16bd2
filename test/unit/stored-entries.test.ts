// From what a scan says to a committed value with its expiry, also for a key that is being written.
import { expect } from 'chai';
import type { Entry } from '../../src/protocol/messages.js';
import type { Version } from '../../src/protocol/version.js';
import { type CommittedValue, type EntryPorts, decided } from '../../src/client/stored-entries.js';
import { failureOf } from '../support/snapshot-files.js';

const version = (hlc: number): Version => ({ hlc, clientId: 1, seq: 0, epoch: 0 });
const bytes = (n: number): Uint8Array => new Uint8Array([n]);
const invalid = (hlc: number, expiresAtMs: number): Entry => ({
  ...{ key: 'k', version: version(hlc), valid: false, value: null, expiresAtMs, applied: null },
});
const valid = (hlc: number, expiresAtMs: number): Entry => ({
  ...invalid(hlc, expiresAtMs),
  ...{ valid: true, value: bytes(hlc) },
});
const committed = (hlc: number): CommittedValue => ({ valueBytes: bytes(hlc), version: version(hlc) });

/** Answers in turn; `asked` says what was asked for. */
class Ports implements EntryPorts {
  readonly asked: string[] = [];
  time = 0;

  constructor(
    private readonly looks: (CommittedValue | undefined)[],
    private readonly scans: (Entry | undefined)[] = [],
  ) {}

  nowMs(): number {
    return (this.time += 10);
  }

  async look(): Promise<CommittedValue | undefined> {
    this.asked.push('look');
    return this.looks.length > 1 ? this.looks.shift() : this.looks[0];
  }

  async scanAgain(): Promise<Entry | undefined> {
    this.asked.push('scan');
    return this.scans.length > 1 ? this.scans.shift() : this.scans[0];
  }

  async pause(): Promise<void> {
    this.asked.push('pause');
  }
}

const options = { timeoutMs: 1000, wantExpiry: true };
const known = (hlc: number, expiresAtMs: number) => ({ key: 'k', valueBytes: bytes(hlc), expiresAtMs });

describe('an entry of a scan', () => {
  it('VALID: it is itself, nobody is asked', async () => {
    const ports = new Ports([]);
    expect(await decided(valid(5, 77), ports, options)).to.deep.equal(known(5, 77));
    expect(await decided({ ...valid(5, 0), value: null }, ports, options)).to.equal(undefined);
    expect(ports.asked).to.deep.equal([]);
  });

  it('INVALID, and a get gives the same version: the expiry is that of the scan', async () => {
    expect(await decided(invalid(5, 77), new Ports([committed(5)]), options)).to.deep.equal(known(5, 77));
  });

  it('INVALID, and a get gives another version: its expiry is another; the key is scanned again', async () => {
    const ports = new Ports([committed(6)], [valid(7, 99)]);
    expect(await decided(invalid(5, 77), ports, options)).to.deep.equal(known(7, 99));
    expect(ports.asked).to.deep.equal(['look', 'scan']);
  });

  it('again and again INVALID: until scan and get agree', async () => {
    const ports = new Ports([committed(6), committed(8), committed(9)], [invalid(7, 88), invalid(9, 99)]);
    expect(await decided(invalid(5, 77), ports, options)).to.deep.equal(known(9, 99));
    expect(ports.asked).to.deep.equal(['look', 'scan', 'look', 'pause', 'scan', 'look']);
  });

  it('absent at the get or at the second scan: absent', async () => {
    expect(await decided(invalid(5, 77), new Ports([undefined]), options)).to.equal(undefined);
    expect(await decided(invalid(5, 77), new Ports([committed(6)], [undefined]), options)).to.equal(
      undefined,
    );
  });

  it('overwritten for ever: TIMEOUT, never a wrong expiry', async () => {
    const ports = new Ports([committed(6)], [invalid(7, 88)]);
    const error = await failureOf(decided(invalid(5, 77), ports, options));
    expect(error).to.include({ code: 'TIMEOUT' });
    expect(error.message).to.match(/^'k' is overwritten faster than it can be listed/);
  });

  it('without interest in the expiry the first get is enough', async () => {
    const ports = new Ports([committed(6)]);
    expect(await decided(invalid(5, 77), ports, { timeoutMs: 1000, wantExpiry: false })).to.deep.equal(
      known(6, 0),
    );
    expect(ports.asked).to.deep.equal(['look']);
  });
});
