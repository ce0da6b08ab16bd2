/** The page of `gtstore bench --report`: whether it can be written, before anything is, and how it is written in the end. */
import { constants } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import { dirname, sep } from 'node:path';
import { refuseDeadLink } from '../files/links.js';
import { UsageError } from './exit.js';

/** Before minutes are spent on measuring. @throws UsageError */
export async function checkWritable(file: string): Promise<void> {
  if (file === '') throw new UsageError('--report must name a file');
  try {
    const place = await placeOf(file);
    if (place !== undefined) await expectFolder(place);
  } catch (error) {
    throw new UsageError(
      `--report ${file} cannot be written: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** The file that will be made or replaced; undefined: it is written to as it is, a pipe or a device. */
async function placeOf(file: string): Promise<string | undefined> {
  try {
    const existing = await stat(file);
    if (existing.isDirectory()) throw new Error('it is a directory');
    await access(file, constants.W_OK);
    return existing.isFile() ? await realpath(file) : undefined;
  } catch (error) {
    // Anything else, such as a file where a folder should be, is no better when the run is over.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await refuseDeadLink(file);
    return file;
  }
}

async function expectFolder(file: string): Promise<void> {
  if (file.endsWith('/') || file.endsWith(sep)) throw new Error('that is the name of a directory');
  // To make a file there, one must be allowed to search it, too.
  await access(dirname(file), constants.W_OK | constants.X_OK);
}

/** A file that is there is replaced when all of the new one is written. @throws Error that names the file */
export async function writeReport(file: string, page: string): Promise<void> {
  // Only here, so that whoever wants no report need not load it.
  const { openOutput } = await import('./export-output.js');
  const output = await openOutput(file).catch((cause: unknown) => {
    // It could be written before the run: it is no wrong argument any more.
    throw cause instanceof Error ? new Error(cause.message, { cause }) : cause;
  });
  try {
    await output.write(page);
    await output.finish();
  } finally {
    output.discard();
  }
}
