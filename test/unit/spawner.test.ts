// Which processes a manager takes for its nodes, and signals: their ids alone say little (M3).
import { expect } from 'chai';
import { isNodeAlive } from '../../src/manager/node-processes.js';
import type { System } from '../../src/manager/node-processes.js';
import { Spawner } from '../../src/manager/spawner.js';
import type { SpawnerOptions } from '../../src/manager/spawner.js';
import { until } from '../support/until.js';

const entry = '/somewhere/forked-node.js';
const clusterId = 'c0ffee';
const nodePid = 100;
const strangerPid = 101;
const otherUsersPid = 102;

function commandOf(nodeId: number, cluster = clusterId): string {
  const argument = JSON.stringify({ nodeId, clusterId: cluster, dataDir: '/a b', manager: { port: 7400 } });
  return `/usr/bin/node --max-semi-space-size=4 /else where/forked-node.js ${argument}\n`;
}

function errorOf(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** A system without /proc. */
class FakeSystem implements System {
  readonly platform = 'darwin';
  readonly commands = new Map([
    [nodePid, commandOf(1)],
    [strangerPid, '/usr/bin/vi notes\n'],
    [otherUsersPid, commandOf(2)],
  ]);
  readonly signals: string[] = [];
  asked = 0;

  kill(pid: number, signal: NodeJS.Signals | 0): void {
    if (!this.commands.has(pid)) throw errorOf('ESRCH');
    if (pid === otherUsersPid) throw errorOf('EPERM');
    if (signal !== 0) this.signals.push(`${signal} ${pid}`);
  }

  ps(pid: number): string {
    this.asked++;
    return this.commands.get(pid) ?? '';
  }
}

describe('a process that is said to be a node, where there is no /proc', () => {
  const identity = { nodeId: 1, clusterId };
  const isAlive = (system: System, pid: number, asked = identity): boolean =>
    isNodeAlive(pid, entry, asked, system);

  it('is known by its command line', () => {
    const system = new FakeSystem();
    expect(isAlive(system, nodePid)).to.equal(true);
    expect(isAlive(system, nodePid, { nodeId: 2, clusterId })).to.equal(false);
    expect(isAlive(system, nodePid, { nodeId: 1, clusterId: 'another' })).to.equal(false);
    expect(isAlive(system, strangerPid)).to.equal(false);
    expect(isAlive(system, 103)).to.equal(false);
  });

  it('is believed to be it if the system does not tell', () => {
    const system = new FakeSystem();
    system.ps = () => {
      throw errorOf('ENOENT');
    };
    expect(isAlive(system, strangerPid)).to.equal(true);
    expect(isAlive(system, 103)).to.equal(false);
  });
});

describe('Spawner', () => {
  const spawners: Spawner[] = [];
  afterEach(() => {
    for (const spawner of spawners.splice(0)) spawner.close();
  });

  interface Scene {
    readonly spawner: Spawner;
    readonly exits: string[];
    readonly errors: string[];
  }

  function newScene(options: Partial<SpawnerOptions> = {}): Scene {
    const exits: string[] = [];
    const errors: string[] = [];
    const nothing = (): void => undefined;
    const error = (text: string): void => {
      errors.push(text);
    };
    const spawner = new Spawner({
      entry,
      argument: () => ({}),
      env: undefined,
      clusterId,
      onExit: (nodeId, pid) => exits.push(`${nodeId} ${pid}`),
      log: { debug: nothing, info: nothing, warn: nothing, error },
      ...options,
    });
    spawners.push(spawner);
    return { spawner, exits, errors };
  }

  it('signals nobody who has got the id of a node meanwhile, and no process of another user', () => {
    const system = new FakeSystem();
    const { spawner } = newScene({ system });
    spawner.adopt(1, nodePid, true);
    spawner.adopt(2, otherUsersPid, true);
    spawner.adopt(3, strangerPid, true);
    spawner.kill('SIGTERM');
    expect(system.signals).to.deep.equal([`SIGTERM ${nodePid}`]);
  });

  it('tells the exit of who was another from the start, or is no more; it does not run ps again and again', async () => {
    const system = new FakeSystem();
    const { spawner, exits } = newScene({ system });
    spawner.adopt(1, nodePid, spawner.isAlive(nodePid, 1));
    spawner.adopt(3, strangerPid, spawner.isAlive(strangerPid, 3));
    expect(spawner.nodeIds).to.deep.equal([1]);
    await until(() => exits.length > 0);
    expect(exits).to.deep.equal([`3 ${strangerPid}`]);
    system.commands.delete(nodePid);
    await until(() => exits.length > 1);
    expect(exits[1]).to.equal(`1 ${nodePid}`);
    expect(system.asked).to.equal(2);
  });

  it('tells a start that fails at once as an exit, too, but not before it returns', async () => {
    // More than one word of a command line may have.
    const { spawner, exits, errors } = newScene({ argument: () => ({ long: 'a'.repeat(4_000_000) }) });
    spawner.spawn(5);
    expect(exits).to.deep.equal([]);
    await until(() => exits.length > 0);
    expect(exits).to.deep.equal(['5 0']);
    expect(errors).to.have.length(1);
    expect(errors[0]).to.match(/^node 5 cannot be started: .*E2BIG/);
    expect(spawner.nodeIds).to.deep.equal([]);
  });
});
