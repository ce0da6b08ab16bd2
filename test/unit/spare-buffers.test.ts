import { expect } from 'chai';
import { Buffer } from 'node:buffer';
import { giveBuffer, takeBuffer, takeSpare } from '../../src/protocol/spare-buffers.js';
import { drainSpareBuffers } from '../support/spare-buffers.js';

const mebibyte = 2 ** 20;

describe('spare buffers', () => {
  beforeEach(drainSpareBuffers);
  after(drainSpareBuffers);

  it('serve again what fits into them and is at least half as long', () => {
    const buffer = takeBuffer(mebibyte + 60);
    giveBuffer(buffer);
    expect(takeSpare(mebibyte / 2 - 1), 'shorter').to.equal(undefined);
    expect(takeSpare(buffer.length + 1), 'longer').to.equal(undefined);
    expect(takeBuffer(mebibyte)).to.equal(buffer);
    expect(takeSpare(mebibyte), 'lent').to.equal(undefined);
  });

  it('of several the shortest is taken', () => {
    const [long, short] = [takeBuffer(1.5 * mebibyte), takeBuffer(mebibyte)];
    giveBuffer(short);
    giveBuffer(long);
    expect(takeSpare(0.9 * mebibyte)).to.equal(short);
    expect(takeSpare(0.9 * mebibyte)).to.equal(long);
  });

  it('are 16 MiB at most: those that have lain there longest make room', () => {
    for (let i = 0; i < 64; i++) giveBuffer(Buffer.allocUnsafeSlow(256 * 1024));
    const useful = Array.from({ length: 12 }, () => Buffer.allocUnsafeSlow(mebibyte));
    useful.forEach(giveBuffer);
    let rest = 0;
    while (takeSpare(256 * 1024) !== undefined) rest++;
    expect(rest).to.equal(16);
    const taken = new Set(useful.map(() => takeSpare(mebibyte)));
    expect(useful.every((buffer) => taken.has(buffer))).to.equal(true);
  });

  it('are neither short nor longer than all of them may be together', () => {
    giveBuffer(Buffer.allocUnsafeSlow(1000));
    giveBuffer(Buffer.allocUnsafeSlow(17 * mebibyte));
    expect(takeSpare(1000)).to.equal(undefined);
    expect(takeSpare(16.5 * mebibyte)).to.equal(undefined);
  });
});
