/** Whether the page of `gtstore bench --report` can be written, without writing anything yet. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname, sep } from 'node:path';
import { UsageError } from './exit.js';

/** Before minutes are spent on measuring. @throws UsageError */
export async function checkWritable(file: string): Promise<void> {
  if (file === '') throw new UsageError('--report must name a file');
  try {
    if (await exists(file)) await access(file, constants.W_OK);
    else await expectFolder(file);
  } catch (error) {
    throw new UsageError(
      `--report ${file} cannot be written: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    const existing = await stat(file);
    if (existing.isDirectory()) throw new Error('it is a directory');
    return true;
  } catch (error) {
    // Anything else, such as a file where a folder should be, is no better when the run is over.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

async function expectFolder(file: string): Promise<void> {
  if (file.endsWith('/') || file.endsWith(sep)) throw new Error('that is the name of a directory');
  // To make a file there, one must be allowed to search it, too.
  await access(dirname(file), constants.W_OK | constants.X_OK);
}
