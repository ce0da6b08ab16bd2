// What looks after the manager: when it gives up, and what becomes of the nodes of a manager that crashes while it ends.
import { expect } from 'chai';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StopRequest } from '../../src/cli/stop-request.js';
import { supervise } from '../../src/cli/supervisor.js';
import type { Logger } from '../../src/protocol/logger.js';
import { endOfTurn } from '../support/transport-peers.js';
import { until } from '../support/until.js';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Notes what it was started with, in a line; it has no handlers of signals but its own. */
const note = `
import { appendFileSync } from 'node:fs';
const note = () => appendFileSync(new URL('lives', import.meta.url), process.argv.slice(2).join(' ') + '\\n');
const crash = () => process.kill(process.pid, 'SIGKILL');
`;

describe('what looks after the manager', () => {
  let directory = '';
  let errors: string[] = [];
  let stop: StopRequest;
  const [, command = ''] = process.argv;
  const nothing = (): void => undefined;
  const log: Logger = { debug: nothing, info: nothing, warn: nothing, error: (text) => errors.push(text) };
  const former = new Map(signals.map((signal) => [signal, process.listeners(signal)]));

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'gtstore-supervisor-'));
    errors = [];
    stop = new StopRequest();
  });
  afterEach(() => {
    process.argv[1] = command;
    for (const signal of signals)
      for (const listener of process.listeners(signal))
        if (former.get(signal)?.includes(listener) !== true) process.off(signal, listener);
    rmSync(directory, { recursive: true });
  });

  /** With this program for a manager. */
  function run(program: string): Promise<number> {
    process.argv[1] = join(directory, 'manager.mjs');
    writeFileSync(process.argv[1], note + program);
    return supervise({ stop, args: ['start'], port: 0, dataDir: undefined, log });
  }

  function lives(): string[] {
    const path = join(directory, 'lives');
    return existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : [];
  }

  it('gives up one that is killed again and again before it is ready, and leaves no state of it', async () => {
    expect(await run('note(); crash();')).to.equal(1);
    expect(lives()).to.have.length(3);
    // None of them had got so far as to leave anything to the next one.
    for (const line of lives()) expect(line).to.match(/^start --state-dir \S+ .*--life 1 --port 0$/);
    const [, , stateDir = ''] = lives()[0]?.split(' ') ?? [];
    expect(existsSync(stateDir)).to.equal(false);
    expect(errors).to.have.length(3);
    expect(errors[1]).to.match(/the manager has crashed \(SIGKILL\); starting it again in \d+ ms/);
    expect(errors[2]).to.match(/crashes again and again \(SIGKILL\); giving up/);
  });

  it('starts one that crashes while it ends again, where it was, to end the nodes; not for ever', async () => {
    const code = run(
      "process.once('SIGTERM', crash); setInterval(() => undefined, 1000);" +
        "process.send({ kind: 'listening', port: 4711 }, undefined, undefined, note);",
    );
    await until(() => lives().length === 1);
    // What it told has arrived, too.
    await endOfTurn();
    stop.request('SIGTERM');
    expect(await code).to.equal(1);
    expect(lives().map((line) => line.replace(/^.* --life/, '--life'))).to.deep.equal([
      '--life 1 --port 0',
      '--life 2 --port 4711',
      '--life 3 --port 4711',
    ]);
    expect(errors.at(-1)).to.match(/giving up, its nodes are left to the next start/);
  });
});
