/** Whether a node can begin at all with the files that it may have open. */
import { filesAllowed } from '../transport/open-files.js';
import { UsageError } from './exit.js';

/** Node opens the modules of a program side by side: with 64 it gives up in the middle of them, with lines and lines of where. */
const filesMin = 96;

/** @throws UsageError */
export function expectEnoughFiles(files = filesAllowed()): void {
  if (files < filesMin)
    throw new UsageError(
      `no more than ${files} files may be open here, and a node needs ${filesMin}: raise it with ulimit -n`,
    );
}
