// A node that comes back with its disk is sent what has changed, and nothing else (PROTOCOL D2).
import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expectEntries, fill, threeOnDisks, useCluster } from '../support/cluster-fixture.js';

const keys = 20_000;
const valueChars = 1000;
const everyChanged = 100;
const shareMax = 0.04;
const [away, ...others] = [1, 0, 2];

describe('a node that comes back with its disk', function () {
  this.timeout(120_000);
  const fixture = useCluster(threeOnDisks);

  before(function () {
    if (process.platform === 'linux') return;
    console.log('      the system does not tell how much a process writes: skipped');
    this.skip();
  });

  /** What the others have written, to files and sockets alike; what they send to fill a node comes from memory. */
  function bytesWritten(): number {
    const { nodes } = fixture.cluster;
    return nodes
      .filter(({ id }) => others.includes(id))
      .map(({ pid }) => Number(/^wchar: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]))
      .reduce((sum, bytes) => sum + bytes, 0);
  }

  /** @returns what the others wrote while the node was filled, and what it said of it last */
  async function bytesToFill(): Promise<{ bytes: number; copied: number; confirmed: number }> {
    const { cluster } = fixture;
    const [before, logged] = [bytesWritten(), cluster.logs.length];
    await cluster.restart(away);
    await cluster.untilHealthy();
    const bytes = bytesWritten() - before;
    const lines = [
      ...cluster.logs
        .slice(logged)
        .matchAll(/filled \d+ slots: (\d+) entries, \d+ bytes copied, (\d+) entries/g),
    ];
    const sum = (group: number): number => lines.reduce((all, line) => all + Number(line[group]), 0);
    return { bytes, copied: sum(1), confirmed: sum(2) };
  }

  it('D2: of 20,000 keys, 1 % changed meanwhile, it is sent about 1 %; deleted keys stay deleted, changed ones are new', async () => {
    const { cluster } = fixture;
    const store = await fixture.open({ timeoutMs: 20_000 });
    const valueOf = (n: number): string => `${n} `.repeat(valueChars).slice(0, valueChars);
    const entries = new Map(await fill(store, 'd', keys, valueOf));
    await cluster.kill(away);
    const changed = [...entries.keys()].filter((_, n) => n % everyChanged === 0);
    const deleted = changed.filter((_, n) => n % 2 === 0);
    for (const key of deleted) {
      await store.delete(key);
      entries.delete(key);
    }
    for (const key of changed.filter((each) => entries.has(each))) {
      const value = valueOf(keys + entries.size).toUpperCase();
      await store.put(key, value);
      entries.set(key, value);
    }
    const difference = await bytesToFill();
    expect(difference.copied).to.be.within(changed.length, 2 * changed.length);
    expect(difference.confirmed).to.be.within(keys - 2 * changed.length, keys - changed.length);

    await cluster.kill(away);
    await rm(join(cluster.dataDir, `node-${away}`), { recursive: true });
    const whole = await bytesToFill();
    expect(whole.copied).to.be.at.least(entries.size);
    expect(whole.confirmed).to.equal(0);
    expect(whole.bytes).to.be.above(keys * valueChars);
    expect(difference.bytes / whole.bytes).to.be.below(shareMax);

    // Once more with its disk, and then alone: it holds everything itself.
    await cluster.restart(away);
    await cluster.untilHealthy();
    await cluster.killNodes(others);
    const reader = await fixture.open();
    await expectEntries(reader, entries);
    const values = await reader.getMany(deleted);
    expect(values.filter((value) => value !== undefined)).to.deep.equal([]);
  });
});
