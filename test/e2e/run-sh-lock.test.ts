// ./run.sh where there is no flock: two at once prepare one after the other, and one that was killed keeps nobody waiting.
import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launcher, run, runScript } from './command.js';

const tools = [
  'bash',
  'cat',
  'dirname',
  'find',
  'ln',
  'mkdir',
  'mktemp',
  'ps',
  'readlink',
  'rm',
  'sleep',
  'touch',
];

/** Notes when it begins and ends, and takes its time. */
const npm = `#!/usr/bin/env bash
echo "begins $1" >> npm.log
sleep 0.3
if [ "$1" = ci ]; then mkdir -p node_modules; touch node_modules/.package-lock.json; fi
if [ "$1" = run ]; then mkdir -p dist/cli; echo 'console.log("started");' > dist/cli/main.js; touch dist/.built; fi
echo "ends $1" >> npm.log
`;

describe('run.sh without flock', function () {
  this.timeout(30_000);
  const launch = launcher();
  let root = '';
  let env: Readonly<Record<string, string>> = {};

  /** A checkout that has nothing but the script, and a PATH that has nothing but what it needs. */
  beforeEach(async function () {
    if (process.platform === 'win32') this.skip();
    root = await mkdtemp(join(tmpdir(), 'gtstore-run-sh-'));
    const bin = join(root, 'bin');
    for (const directory of [bin, join(root, 'src')]) mkdirSync(directory);
    for (const tool of tools) {
      const path = spawnSync('bash', ['-c', `type -P ${tool}`], { encoding: 'utf8' }).stdout.trim();
      // There is not everywhere a ps, and the script does without.
      if (path !== '') symlinkSync(path, join(bin, tool));
    }
    symlinkSync(process.execPath, join(bin, 'node'));
    writeFileSync(join(bin, 'npm'), npm);
    chmodSync(join(bin, 'npm'), 0o755);
    copyFileSync(runScript, join(root, 'run.sh'));
    for (const name of ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'])
      writeFileSync(join(root, name), '{}');
    env = { PATH: bin };
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const script = (): string => join(root, 'run.sh');
  const lockNames = (): string[] => readdirSync(root).filter((name) => name.startsWith('.run.lock'));

  function expectPreparedOnce(): void {
    const lines = readFileSync(join(root, 'npm.log'), 'utf8').trimEnd().split('\n');
    expect(lines).to.deep.equal(['begins ci', 'ends ci', 'begins run', 'ends run']);
    expect(lockNames()).to.deep.equal([]);
  }

  it('of several at once one prepares; the others say that they wait, and for whom', async () => {
    const all = Array.from({ length: 3 }, () => launch(script(), [], { env }));
    const results = await Promise.all(all.map((each) => each.ended()));
    for (const { code, stdout, stderr } of results)
      expect({ code, stdout }, stderr).to.deep.equal({ code: 0, stdout: 'started\n' });
    const waited = results.filter(({ stderr }) => /waiting for another run\.sh \(process \d+\)/.test(stderr));
    // One that begins late finds everything done.
    expect(waited).to.have.length.within(1, 2);
    expectPreparedOnce();
  });

  it('a lock whose holder was killed is taken over, by one of several', async () => {
    const { pid } = spawnSync('true');
    for (const name of ['.run.lock.link', '.run.lock.link.break'])
      symlinkSync(`run.sh-${pid}`, join(root, name));
    const all = Array.from({ length: 3 }, () => launch(script(), [], { env }));
    for (const each of all) expect((await each.ended()).code, each.stderr).to.equal(0);
    expectPreparedOnce();
  });

  it('killed in the middle it leaves nothing that keeps the next one waiting', async () => {
    const killed = launch(script(), [], { env });
    await killed.shows(/installing dependencies/);
    expect(lockNames()).to.have.length(1);
    await killed.dispose();
    const next = await run(script(), [], { env });
    expect(next.code, next.stderr).to.equal(0);
    expect(lockNames()).to.deep.equal([]);
  });
});
