// Which processes a manager watches (PROTOCOL M3).
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Spawner } from '../../src/manager/spawner.js';
import { until } from '../support/until.js';

describe('M3: the processes that a manager watches', () => {
  const nothing = (): void => undefined;
  let directory = '';
  const spawners: Spawner[] = [];

  function newSpawner(exits: (readonly [nodeId: number, pid: number])[]): Spawner {
    const spawner = new Spawner({
      entry: join(directory, 'node-entry.mjs'),
      argument: (nodeId) => ({ nodeId, clusterId: 'c', manager: { port: 1 } }),
      env: undefined,
      clusterId: 'c',
      onExit: (nodeId, pid) => exits.push([nodeId, pid]),
      log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    });
    spawners.push(spawner);
    return spawner;
  }

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'gtstore-spawner-'));
    const program =
      "import { writeFileSync } from 'node:fs'; setInterval(() => undefined, 1000);" +
      "writeFileSync(new URL('pid', import.meta.url), `${process.pid}.`);";
    await writeFile(join(directory, 'node-entry.mjs'), program);
  });
  afterEach(async () => {
    for (const spawner of spawners.splice(0)) {
      spawner.kill('SIGKILL');
      spawner.close();
    }
    await rm(directory, { recursive: true });
  });

  it('are those that the system knows as that node: it tells the end of no other', async function () {
    // Elsewhere the system does not tell what a process was started with.
    if (process.platform !== 'linux') this.skip();
    const former = newSpawner([]);
    former.spawn(3);
    const pidFile = join(directory, 'pid');
    await until(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8').endsWith('.'));
    const pid = Number.parseInt(readFileSync(pidFile, 'utf8'), 10);
    const exits: (readonly [number, number])[] = [];
    const spawner = newSpawner(exits);
    await until(() => spawner.isAlive(pid, 3));

    const elsewhere = 2 ** 22 + 1;
    expect(spawner.watch(3, elsewhere)).to.equal(false);
    expect(spawner.watch(3, process.pid)).to.equal(false);
    expect(spawner.watch(4, pid)).to.equal(false);
    expect(spawner.watch(3, pid)).to.equal(true);
    expect(former.watch(3, pid)).to.equal(true);
    process.kill(pid, 'SIGKILL');
    const endsAtMs = performance.now() + 5000;
    while (spawner.isAlive(pid, 3) && performance.now() < endsAtMs);
    // What it sent before it died may be read before it is missed.
    expect(spawner.watch(3, pid)).to.equal(true);
    await until(() => exits.some(([, ended]) => ended === pid));
    expect(exits).to.deep.equal([[3, pid]]);
  });
});
