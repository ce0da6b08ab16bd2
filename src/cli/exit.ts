/**
 * How a command ends: what went wrong in one line on stderr, and the exit code. A stack trace helps nobody at a
 * prompt; the place of a mistake of ours is named all the same.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { GTStoreError, type ErrorCode } from '../protocol/errors.js';

export const exitFailed = 1;
export const exitUsage = 2;
/** Ended by a second Ctrl-C: 128 + SIGINT. */
export const exitKilled = 130;
/** The threads of a process have so long to end. */
const exitMsMax = 1000;

/** For who was asked to end by a signal, as a shell has it: 128 and the number of the signal. */
export function exitCodeOf(signal: string): number {
  const signals: Readonly<Record<string, number>> = constants.signals;
  return 128 + (signals[signal] ?? 0);
}

/**
 * `process.exit` waits for Node's threads, and one that is in a call to a disk that hangs does not come back: then another
 * process puts an end to it.
 */
export function exitSurely(code = process.exitCode): never {
  const { pid } = process;
  const watch =
    `setInterval(() => { if (process.ppid !== ${pid}) process.exit(); }, 10);` +
    `setTimeout(() => { process.kill(${pid}, 'SIGKILL'); }, ${exitMsMax})`;
  spawn(process.execPath, ['-e', watch], { detached: true, stdio: 'ignore', env: {} }).unref();
  process.exit(code);
}

/** The command line is wrong: nothing was begun. The message says what to write instead. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const codesOfUsage: ReadonlySet<ErrorCode> = new Set([
  'INVALID_ARGUMENT',
  'KEY_TOO_LARGE',
  'VALUE_TOO_LARGE',
]);

/** An address that cannot be listened on was given on the command line, too. */
const namesOfUsage: ReadonlySet<string> = new Set(['UsageError', 'ListenError']);

/** By name, not by class: the manager and the client have no error classes in common with the commands. */
function isUsageError(error: unknown): boolean {
  if (error instanceof GTStoreError) return codesOfUsage.has(error.code);
  return error instanceof Error && namesOfUsage.has(error.name);
}

/** The code of an error of the store, undefined for any other. */
export function codeOf(error: unknown): ErrorCode | undefined {
  return error instanceof GTStoreError ? error.code : undefined;
}

/** Says what went wrong, and sets the exit code for when the process has nothing left to do. */
export function reportFailure(error: unknown): void {
  process.stderr.write(`gtstore: ${oneLine(textOf(error))}\n`);
  process.exitCode = isUsageError(error) ? exitUsage : exitFailed;
}

/** For errors that nobody expected: with the place in the code. */
export function describeBug(error: unknown): string {
  const frame = error instanceof Error ? /\n\s+(at .+)/.exec(error.stack ?? '')?.[1] : undefined;
  return `internal error: ${oneLine(textOf(error))}${frame === undefined ? '' : ` (${frame})`}`;
}

function textOf(error: unknown): string {
  return error instanceof Error && error.message !== '' ? error.message : String(error);
}

export function oneLine(text: string): string {
  return text
    .trim()
    .split(/\s*\n\s*/)
    .join('; ');
}

/**
 * To be called first in every process. Whoever read our output may have gone (`gtstore status | head -1`, a closed
 * terminal): then there is nobody left to tell, and no reason to stop serving.
 */
export function guardProcess(onBug: (text: string) => void): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' || error.code === 'EIO') return;
    process.exitCode = exitFailed;
    process.stderr.write(`gtstore: cannot write output: ${error.message}\n`);
  });
  // A log that cannot be written says nothing about what it tells of: a manager that ended in good order has not crashed.
  process.stderr.on('error', () => undefined);
  process.on('uncaughtException', (error) => {
    onBug(describeBug(error));
    process.exit(exitFailed);
  });
}
