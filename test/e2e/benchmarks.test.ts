// The benchmarks start, measure something, and leave nothing behind; their figures are not looked at here.
import { expect } from 'chai';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Results } from '../../bench/report.js';
import { eventually } from '../support/cluster-until.js';
import { Launched, root, run } from './command.js';

const bench = join(root, 'build', 'bench', 'main.js');
/** Manager, nodes, servers of the floor, clients. */
const processesOfLatency = 17;

describe('benchmarks', function () {
  this.timeout(60_000);
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gtstore-e2e-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('a quick run prints figures and leaves neither process nor file', async () => {
    const launched = new Launched(bench, ['floor', 'memory', '--quick', '--json'], {
      env: { TMPDIR: folder },
    });
    try {
      const { code, stdout, stderr } = await launched.ended();
      expect(code, stderr).to.equal(0);
      const { sections } = JSON.parse(stdout) as Results;
      expect(sections.map(({ title }) => title.split(':')[0])).to.deep.equal(['Floor', 'Memory']);
      for (const { rows } of sections) {
        expect(rows).to.not.have.length(0);
        for (const { name, median } of rows) expect(median, name).to.be.a('number');
      }
      expect(launched.processes()).to.deep.equal([]);
      expect(readdirSync(folder)).to.deep.equal([]);
    } finally {
      await launched.dispose();
    }
  });

  it('Ctrl-C ends clusters, servers and clients', async function () {
    // Only there does the system tell whose child a process is.
    if (process.platform !== 'linux') this.skip();
    const launched = new Launched(bench, ['latency', '--quick', '--seconds', '60'], {
      env: { TMPDIR: folder },
    });
    try {
      await eventually('it is under way', () => launched.processes().length >= processesOfLatency);
      launched.signal('SIGINT');
      await launched.ended();
      await eventually('nothing is left', () => launched.processes().length === 0);
      expect(readdirSync(folder)).to.deep.equal([]);
    } finally {
      await launched.dispose();
    }
  });

  it('a peer that the machine lacks is skipped with a line that says so', async () => {
    const { code, stdout, stderr } = await run(bench, ['redis', 'etcd', 'memcached', '--quick'], {
      env: { PATH: root },
    });
    expect(code, stderr).to.equal(0);
    for (const program of ['redis-server', 'etcd', 'memcached']) {
      expect(stdout).to.include(`(skipped: there is no ${program} on the path)`);
    }
  });

  it('an unknown name is refused with the names there are', async () => {
    const { code, stderr } = await run(bench, ['speed']);
    expect(code).to.equal(1);
    expect(stderr).to.include("there is no benchmark 'speed'").and.include('million-keys');
  });
});
