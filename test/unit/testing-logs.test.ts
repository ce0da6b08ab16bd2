// What a test cluster keeps of what its processes wrote.
import { expect } from 'chai';
import { LogText } from '../../src/testing/manager-process.js';

describe('logs of a test cluster', () => {
  it('keep the end of very much, and take another line as quickly as the first', () => {
    const logs = new LogText(false);
    const line = (n: number): string => `${String(n).padStart(99)}\n`;
    const lines = 100_000;
    const beganMs = performance.now();
    for (let n = 0; n < lines; n++) logs.append(line(n));
    expect(performance.now() - beganMs).to.be.below(10_000);
    expect(logs.text).to.have.length(4_000_000);
    expect(logs.text.endsWith(line(lines - 2) + line(lines - 1))).to.equal(true);
  });
});
