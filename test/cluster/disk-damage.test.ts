// Files of a node that are damaged while it is down: set aside, never served.
import { expect } from 'chai';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expectEntries, fill, threeOnDisks, useCluster } from '../support/cluster-fixture.js';
import { eventually } from '../support/cluster-until.js';

const damaged = 1;

describe('files of a node damaged while it is down', function () {
  this.timeout(120_000);
  const fixture = useCluster(threeOnDisks);
  const directory = (): string => join(fixture.cluster.dataDir, `node-${damaged}`);

  /** Flips a bit in the middle of each file of that kind. @returns how many there were */
  function flip(kind: RegExp): number {
    const files = readdirSync(directory()).filter((name) => kind.test(name));
    for (const name of files) {
      const path = join(directory(), name);
      const bytes = readFileSync(path);
      const middle = bytes.length >> 1;
      bytes[middle] = (bytes[middle] ?? 0) ^ 0x10;
      writeFileSync(path, bytes);
    }
    return files.length;
  }

  it('D2: it says so in one line, sets them aside, and is filled by the others, whatever the file', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const entries = await fill(store, 'sound', 600, (n) => `${n} `.repeat(500));
    // It has become tables once the node has been started again with it.
    await cluster.restart(damaged);
    await cluster.untilHealthy();
    let aside = 0;
    for (const kind of [/\.ldb$/, /\.log$/, /^MANIFEST-/, /^SAVED$/]) {
      await cluster.killNodes([damaged]);
      const from = cluster.logs.length;
      expect(flip(kind), String(kind)).to.be.above(0);
      await cluster.restart(damaged);
      await cluster.untilHealthy();
      aside++;
      const told = (): string[] =>
        cluster.logs
          .slice(from)
          .split('\n')
          .filter((line) => line.includes(' error '));
      await eventually('it has told', () => told().length > 0);
      expect(told(), String(kind)).to.have.length(1);
      expect(told()[0]).to.match(
        new RegExp(`node-1 was damaged \\(.*\\): moved to .*corrupt-${aside}; the node begins`),
      );
      expect(existsSync(`${directory()}.corrupt-${aside}`)).to.equal(true);
      await expectEntries(await fixture.open({ readFrom: 'any' }), entries);
      // Enough for a table of its own with the next start.
      await cluster.restart(damaged);
      await cluster.untilHealthy();
    }
    await cluster.killNodes([0, 2]);
    await expectEntries(await fixture.open(), entries);
  });
});
