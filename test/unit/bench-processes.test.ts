/** What the benchmarks do when what they measure beside, or a process of theirs, ends before its time. */
import { expect } from 'chai';
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { positive, positiveCount } from '../../bench/arguments.js';
import { runsBeside } from '../../bench/beside.js';
import { answerOf } from '../../bench/child-answer.js';
import { cpuSample, family, foreignShare } from '../../bench/cpu-time.js';
import { usualWorkload } from '../../bench/workload.js';

async function failureOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    (value) => expect.fail(`fulfilled with ${JSON.stringify(value)}`),
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
}

describe('benchmark runs beside something else', () => {
  /** The other thing ends during the run of that number. */
  async function beside(lastRun: number): Promise<Awaited<ReturnType<typeof runsBeside<number>>>> {
    let run = -1;
    return runsBeside(
      () => Promise.resolve(++run),
      () => Promise.resolve(run < lastRun),
    );
  }

  it('only those count that ended before it did', async () => {
    expect(await beside(3)).to.deep.equal({ runs: [0, 1, 2], areWithin: true });
    expect(await beside(1)).to.deep.equal({ runs: [0], areWithin: true });
  });

  it('the first counts all the same, and it is told', async () => {
    expect(await beside(0)).to.deep.equal({ runs: [0], areWithin: false });
  });
});

describe('benchmark processes', () => {
  let folder = '';
  before(() => (folder = mkdtempSync(join(tmpdir(), 'gtstore-child-'))));
  after(() => {
    rmSync(folder, { recursive: true });
  });

  function child(code: string): ChildProcess {
    const file = join(folder, 'child.mjs');
    writeFileSync(file, code);
    return fork(file, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  }

  it('what a child says last is heard, though it ends at once', async () => {
    expect(await answerOf(child('process.send(42); process.disconnect();'))).to.equal(42);
  });

  it('a child that ends without a word is an error, also for who asks when it is over', async () => {
    const mute = child('process.exit(3);');
    expect(await failureOf(answerOf(mute))).to.include('ended with code 3');
    expect(await failureOf(answerOf(mute))).to.include('ended with code 3');
    const killed = child('process.kill(process.pid, "SIGKILL");');
    expect(await failureOf(answerOf(killed))).to.include('ended with SIGKILL');
  });

  it('a client of the floor ends with its server, rather than wait for its answers', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket.resume()));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const argument = JSON.stringify({ workload: usualWorkload, replicas: 1, ports: [port] });
    const module = fileURLToPath(new URL('../../bench/floor-client.js', import.meta.url));
    const client = fork(module, [argument], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    try {
      expect(await answerOf(client)).to.equal('ready');
      const answer = answerOf(client);
      const request = {
        inFlight: 4,
        putRatio: 0.5,
        pattern: 'uniform',
        serverPids: [],
        warmUpMs: 1,
        runMs: 1,
      };
      client.send(request);
      const [first] = sockets;
      if (first === undefined) expect.fail('no connection');
      await once(first, 'data');
      first.destroy();
      expect(await failureOf(answer)).to.include('ended with code 1');
    } finally {
      client.kill('SIGKILL');
      server.close();
    }
  });
});

describe('benchmark: CPU time of others', () => {
  it('is what neither this process nor any that it has started took', () => {
    const before = {
      atMs: 1000,
      systemUs: 5e6,
      ownUs: new Map([
        [1, 1e6],
        [2, NaN],
        [3, 7],
      ]),
    };
    const ownUs = new Map([
      [1, 1_300_000],
      [2, 5],
      [4, 200_000],
    ]);
    const after = { atMs: 2000, systemUs: 6e6, ownUs };
    expect(foreignShare(before, after, 2)).to.be.closeTo(0.25, 1e-9);
    expect(foreignShare(before, { ...after, systemUs: 5e6 }, 2), 'clocks that tick apart').to.equal(0);
    expect(foreignShare(before, { ...after, systemUs: NaN }, 2)).to.be.NaN;
  });

  it('children of children are its own, too', async function () {
    // Only there does the system tell whose child a process is.
    if (process.platform !== 'linux') this.skip();
    const nested = `
      import { fork } from 'node:child_process';
      if (process.argv[2] === undefined) {
        fork(process.argv[1], ['inner']).once('message', (pid) => process.send([process.pid, pid]));
      } else process.send(process.pid);
      process.on('disconnect', () => process.exit());`;
    const folder = mkdtempSync(join(tmpdir(), 'gtstore-family-'));
    const file = join(folder, 'nested.mjs');
    writeFileSync(file, nested);
    const outer = fork(file, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    try {
      const pids = (await answerOf(outer)) as number[];
      expect(pids).to.have.length(2);
      expect(family(process.pid)).to.include.members([process.pid, ...pids]);
      expect([...cpuSample().ownUs.keys()]).to.include.members(pids);
    } finally {
      const ended = once(outer, 'exit');
      outer.disconnect();
      await ended;
      rmSync(folder, { recursive: true });
    }
  });
});

describe('benchmark options', () => {
  it('numbers above 0 only', () => {
    expect(positive('seconds', '0.5')).to.equal(0.5);
    expect(positiveCount('runs', '1.2')).to.equal(2);
    for (const text of ['0', '-1', 'abc', '', 'Infinity', 'NaN']) {
      expect(() => positive('seconds', text), text).to.throw(`--seconds ${text}: give a number above 0`);
      expect(() => positiveCount('runs', text), text).to.throw(`--runs ${text}: give a number above 0`);
    }
  });
});
