/** One command that begins a task of the manager and follows it. Ctrl-C ends the following, not the task. */
import { setTimeout as delay } from 'node:timers/promises';
import type { GTStoreClient } from '../client/index.js';
import type { AdminRequest, TaskProgress } from '../protocol/admin.js';
import { order } from './admin-options.js';
import { exitCodeOf } from './exit.js';
import { followTask } from './follow-task.js';
import { StopRequest } from './stop-request.js';
import { TaskDisplay, describeProgress } from './task-display.js';
import { printJson, printLine, withClient } from './with-client.js';

export interface TaskRun {
  readonly manager: string;
  readonly json: boolean;
  readonly wait: boolean;
  readonly task: TaskProgress['task'];
  readonly request: AdminRequest;
  /** What to tell a person at the end. */
  readonly done: (progress: TaskProgress) => string;
}

export async function runTask(run: TaskRun): Promise<void> {
  const stop = new StopRequest();
  await withClient(run.manager, async (store) => {
    if (await isStopped(stop, 'nothing was begun')) return;
    const { task = null } = await order(store, run.request);
    const begun = task?.task === run.task ? task : null;
    if (run.wait) await follow(store, run, begun, stop);
    else tellBegun(run, begun);
  });
}

function tellBegun({ json, task, done }: TaskRun, begun: TaskProgress | null): void {
  if (json) printJson(begun ?? { task, state: 'running' });
  else if (begun?.state === 'done') printLine(done(begun));
  else printLine(begun === null ? 'begun' : `begun; ${describeProgress(begun)}`);
}

async function follow(
  store: GTStoreClient,
  run: TaskRun,
  begun: TaskProgress | null,
  stop: StopRequest,
): Promise<void> {
  const { signal } = stop;
  const nowMs = (): number => performance.now();
  const display = new TaskDisplay({ json: run.json, screen: process.stderr, print: printLine, nowMs });
  let last: TaskProgress | undefined;
  const following = {
    task: run.task,
    progress: async () => {
      const answer = await Promise.race([order(store, { command: 'progress' }), stop.requested]);
      return typeof answer === 'string' ? null : (answer.task ?? null);
    },
    show: (progress: TaskProgress) => {
      last = progress;
      display.show(progress);
    },
    note: (text: string) => {
      display.clear();
      complain(text);
    },
    isStopped: () => signal.aborted,
    nowMs,
    random: Math.random,
    pause: (ms: number) => pauseUnless(signal, ms),
  };
  let isDone: boolean;
  try {
    isDone = await followTask(following, begun);
  } finally {
    display.clear();
  }
  if (!isDone) await isStopped(stop, 'not followed any more; the task goes on, see gtstore status');
  else if (last !== undefined) tellEnd(run, last);
}

/** @throws Error if it did not end well */
function tellEnd({ json, done }: TaskRun, last: TaskProgress): void {
  const { state, note } = last;
  if (state === 'failed') throw new Error(note ?? 'the task has failed, see the log of the manager');
  if (state === 'cancelled') throw new Error(`somebody has cancelled it; ${describeProgress(last)}`);
  if (note !== undefined) complain(note);
  if (!json) printLine(done(last));
}

/** Says so, and sets the exit code, if the end was asked for. */
export async function isStopped(stop: StopRequest, text: string): Promise<boolean> {
  if (!stop.signal.aborted) return false;
  complain(text);
  process.exitCode = exitCodeOf(await stop.requested);
  return true;
}

/** Ends early when the signal is aborted. */
export async function pauseUnless(signal: AbortSignal, ms: number): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

export function complain(text: string): void {
  process.stderr.write(`gtstore: ${text}\n`);
}
