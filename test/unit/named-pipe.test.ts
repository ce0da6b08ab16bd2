// Ctrl-C while a command waits for somebody at the other end of a named pipe: it ends, and in order.
import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { addAbortSignal } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { openOutput } from '../../src/cli/export-output.js';
import { endWaitFor } from '../../src/cli/named-pipe.js';
import { failureOf, useFolder } from '../support/snapshot-files.js';

describe('a named pipe that nobody else opens', () => {
  const newFolder = useFolder();

  function newPipe(): string {
    const pipe = join(newFolder(), 'pipe');
    expect(spawnSync('mkfifo', [pipe]).status).to.equal(0);
    return pipe;
  }

  before(function () {
    if (process.platform === 'win32') this.skip();
  });

  it('is waited for until the signal comes: an output', async () => {
    const stop = new AbortController();
    let isOver = false;
    const failure = failureOf(openOutput(newPipe(), stop.signal)).finally(() => (isOver = true));
    await pause(50);
    expect(isOver).to.equal(false);
    stop.abort(new Error('Ctrl-C'));
    expect((await failure).message).to.equal('Ctrl-C');
  });

  it('is waited for until the signal comes: an input', async () => {
    const stop = new AbortController();
    const pipe = newPipe();
    const input = addAbortSignal(stop.signal, createReadStream(pipe));
    const endWait = endWaitFor(pipe, stop.signal);
    const failure = failureOf(input.toArray());
    await pause(50);
    stop.abort();
    expect((await failure).name).to.equal('AbortError');
    endWait();
  });
});
