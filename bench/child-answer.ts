/** What a forked process says, if it lives to say it. */
import type { ChildProcess } from 'node:child_process';

/** The next thing it says. @throws Error (rejects) if it ends instead, or has ended already */
export function answerOf(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const lost = (): void => {
      forget();
      reject(
        new Error(`a process of the benchmark ended with ${child.signalCode ?? `code ${child.exitCode}`}`),
      );
    };
    const failed = (error: Error): void => {
      forget();
      reject(error);
    };
    const answered = (message: unknown): void => {
      forget();
      resolve(message);
    };
    const forget = (): void => {
      child.off('close', lost).off('error', failed).off('message', answered);
    };
    // Not `exit`: it may come before what the process said last.
    child.once('close', lost).once('error', failed).once('message', answered);
    const hasEnded = child.exitCode !== null || child.signalCode !== null;
    if (hasEnded && !child.connected) lost();
  });
}
