/** Pipes that have a name: to open one waits, in a call to the system, until somebody opens its other end. */
import { closeSync, constants, openSync } from 'node:fs';

/**
 * When the signal comes, whoever in this process waits to open the pipe waits no longer: this is the other end.
 * @returns to be called when it is open, or given up
 */
export function endWaitFor(pipe: string, signal: AbortSignal): () => void {
  let end: number | undefined;
  const onAbort = (): void => {
    try {
      end = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
    } catch {
      // It may not be ours to read and to write; then a second Ctrl-C ends it.
    }
  };
  signal.addEventListener('abort', onAbort, { once: true });
  return () => {
    signal.removeEventListener('abort', onAbort);
    if (end !== undefined) closeSync(end);
  };
}
