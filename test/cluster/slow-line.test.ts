// A node that comes back is filled over a line that carries less in a second than a learner asks for at once.
import { expect } from 'chai';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { untilStatus, useCluster } from '../support/cluster-fixture.js';

const bytesPerSecond = 4_000_000;
const values = 32;
const valueBytes = 1_000_000;
const victim = 1;

describe('M5: a learner on a slow line', function () {
  this.timeout(40_000);
  const file = join(tmpdir(), `gtstore-slow-line-${process.pid}`);
  const line = new URL('../support/slow-line.js', import.meta.url).href;
  const fixture = useCluster({
    nodes: 2,
    replicas: 2,
    partitioner: 'fnv1a',
    env: { NODE_OPTIONS: `--import ${line}`, SLOW_LINE_FILE: file },
  });
  after(() => {
    rmSync(file, { force: true });
  });

  it('is full in about the time that the line takes for its bytes', async () => {
    const store = await fixture.open();
    const value = new Uint8Array(valueBytes).fill(7);
    for (let i = 0; i < values; i++) await store.put(`key-${i}`, value);
    writeFileSync(`${file}.new`, String(bytesPerSecond));
    renameSync(`${file}.new`, file);
    const { epoch } = await fixture.cluster.status();
    await fixture.cluster.kill(victim);
    const startedAtMs = performance.now();
    await untilStatus(
      fixture.cluster,
      'the node is whole again',
      (status) => status.epoch > epoch + 1 && status.underReplicatedSlots === 0,
      30_000,
    );
    const seconds = (performance.now() - startedAtMs) / 1000;
    const lineSeconds = (values * valueBytes) / bytesPerSecond;
    expect(seconds).to.be.within(0.8 * lineSeconds, 3 * lineSeconds);
  });
});
