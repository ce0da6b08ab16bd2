import { expect } from 'chai';
import { awayMsMax, followTask } from '../../src/cli/follow-task.js';
import { TaskDisplay } from '../../src/cli/task-display.js';
import type { TaskProgress } from '../../src/client/index.js';
import { GTStoreError } from '../../src/protocol/errors.js';

const moves = (done: number, total = 10, state: TaskProgress['state'] = 'running'): TaskProgress => ({
  ...{ task: 'drain', state, done, total },
  ...{ bytesDone: done * 1024 * 1024, bytesTotal: total * 1024 * 1024 },
});
const restarts = (done: number): TaskProgress => ({
  ...{ task: 'restart-rolling', state: 'running', done, total: 7, bytesDone: 0, bytesTotal: 0 },
});

describe('following a task', () => {
  let nowMs: number;
  let shown: TaskProgress[];
  let notes: string[];
  let isStopped: boolean;
  let pausesMs: number[];

  beforeEach(() => {
    nowMs = 0;
    shown = [];
    notes = [];
    pausesMs = [];
    isStopped = false;
  });

  /** The manager gives one answer after the other, and its last one for ever. */
  function follow(
    begun: TaskProgress | null,
    answers: readonly (TaskProgress | Error | null)[],
  ): Promise<boolean> {
    let at = 0;
    const following = {
      task: 'drain' as const,
      progress: () => {
        const answer = answers[Math.min(at++, answers.length - 1)] ?? null;
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
      },
      show: (progress: TaskProgress) => shown.push(progress),
      note: (text: string) => notes.push(text),
      isStopped: () => isStopped,
      nowMs: () => nowMs,
      random: () => 0.5,
      pause: (ms: number) => {
        pausesMs.push(ms);
        nowMs += ms;
        return Promise.resolve();
      },
    };
    return followTask(following, begun);
  }

  const away = new GTStoreError('UNAVAILABLE', 'the manager is away');

  it('shows every state until it is done, the last one included', async () => {
    expect(await follow(moves(0), [moves(3), moves(7), moves(10, 10, 'done')])).to.equal(true);
    expect(shown.map(({ done, state }) => `${done} ${state}`)).to.deep.equal([
      ...['0 running', '3 running', '7 running', '10 done'],
    ]);
  });

  it('what is under way no more is done, and so it is when something else is', async () => {
    for (const over of [null, restarts(1)]) {
      shown = [];
      expect(await follow(moves(0), [moves(3), over])).to.equal(true);
      expect(shown.at(-1)).to.deep.equal(moves(10, 10, 'done'));
    }
  });

  it('a task that had nothing to do is done at once', async () => {
    for (const begun of [null, moves(0, 0)]) {
      shown = [];
      expect(await follow(begun, [null])).to.equal(true);
      expect(shown.map(({ total, state }) => `${total} ${state}`)).to.deep.equal(['0 done']);
    }
    expect(await follow(moves(0, 0, 'done'), [away])).to.equal(true);
  });

  it('stops when it is told to, although the task goes on', async () => {
    const following = follow(moves(0), [moves(3)]);
    isStopped = true;
    expect(await following).to.equal(false);
    expect(shown.at(-1)?.state).to.equal('running');
  });

  it('waits for a manager that is away, longer and longer, says so once, and goes on when it is back', async () => {
    const failures = Array.from({ length: 8 }, () => away);
    expect(await follow(moves(0), [...failures, moves(4), moves(10, 10, 'done')])).to.equal(true);
    expect(notes).to.have.length(2);
    expect(notes[0]).to.match(/does not answer.*60 s.*goes on/);
    expect(notes[1]).to.match(/is back/);
    const waits = pausesMs.slice(1, 9);
    expect([...waits].sort((a, b) => a - b)).to.deep.equal(waits);
    expect(waits.at(-1)).to.be.above(3000).and.below(5001);
    expect(pausesMs.at(-1)).to.equal(200);
  });

  it('gives up after a minute without an answer: the task goes on all the same', async () => {
    let failure: unknown;
    await follow(moves(0), [away]).catch((error: unknown) => (failure = error));
    expect(failure).to.be.instanceOf(Error);
    expect(String(failure)).to.match(/60 s.*the task goes on.*gtstore status/);
    expect(nowMs).to.be.within(awayMsMax, awayMsMax + 6000);
  });

  it('counts that minute anew after every answer', async () => {
    const spell = Array.from({ length: 12 }, () => away);
    expect(await follow(moves(0), [...spell, moves(1), ...spell, moves(2), null])).to.equal(true);
    expect(notes).to.have.length(4);
  });

  it('any other failure ends it', async () => {
    for (const error of [new Error('no such node'), new GTStoreError('PROTOCOL', 'another cluster')]) {
      let failure: unknown;
      await follow(moves(0), [error]).catch((cause: unknown) => (failure = cause));
      expect(failure).to.equal(error);
    }
  });
});

describe('showing a task', () => {
  let nowMs: number;
  let lines: string[];
  let drawn: string;

  function display(json: boolean, isTTY: boolean): TaskDisplay {
    nowMs = 0;
    lines = [];
    drawn = '';
    const screen = { isTTY, columns: 120, write: (text: string) => (drawn += text) };
    return new TaskDisplay({ json, screen, print: (line) => lines.push(line), nowMs: () => nowMs });
  }

  it('--json: one line a second, whether or not anything has changed, and the last one at once', () => {
    const shows = display(true, true);
    for (nowMs = 0; nowMs <= 2500; nowMs += 100) shows.show(moves(3));
    shows.show(moves(10, 10, 'done'));
    expect(lines.map((line) => JSON.parse(line) as unknown)).to.deep.equal([
      ...[moves(3), moves(3), moves(3), moves(10, 10, 'done')],
    ]);
    expect(drawn).to.equal('');
  });

  it('plain lines when something has changed, no more than one a second, and none at the end', () => {
    const shows = display(false, false);
    for (nowMs = 0; nowMs <= 5000; nowMs += 100) shows.show(moves(nowMs < 2000 ? 3 : 7));
    shows.show(moves(10, 10, 'done'));
    expect(lines).to.deep.equal([
      'draining: 3 of 10 slots, 3.0 MiB of 10.0 MiB',
      'draining: 7 of 10 slots, 7.0 MiB of 10.0 MiB',
    ]);
    shows.show(restarts(2));
    nowMs += 1000;
    shows.show(restarts(2));
    expect(lines.at(-1)).to.equal('restarting: 2 of 7 nodes');
    expect(drawn).to.equal('');
  });

  it('a bar on a terminal, which is taken away at the end', () => {
    const shows = display(false, true);
    shows.show(moves(3));
    expect(drawn).to.match(/draining \[#+-+\] 30 % 3\/10 {2}3\.0 MiB of 10\.0 MiB$/);
    shows.clear();
    expect(drawn.endsWith('\r\u001b[K')).to.equal(true);
    expect(lines).to.deep.equal([]);
  });

  it('what is to be known of it while it runs: once above the bar, and with the plain line', () => {
    const noted = { ...moves(10), note: 'node 2 has been missing for 600 s' };
    const bar = display(false, true);
    for (let n = 0; n < 3; n++) bar.show(noted);
    expect(lines).to.deep.equal([noted.note]);
    const plain = display(false, false);
    nowMs = 1000;
    plain.show(noted);
    plain.show({ ...noted, state: 'done' });
    expect(lines).to.deep.equal([`draining: 10 of 10 slots, 10.0 MiB of 10.0 MiB; ${noted.note}`]);
  });
});
