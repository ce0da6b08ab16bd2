/** The directory of `--data-dir`: made, and tried, before anything else is begun. */
import { randomBytes } from 'node:crypto';
import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeSyncedDirectory } from '../files/directories.js';
import { UsageError } from './exit.js';
import { systemText } from './transfer.js';

const directoryMode = 0o700;
const fileMode = 0o600;
/** A file system may have room for the names of files and none for what is in them. */
const trialBytes = 4096;

/**
 * @param content - what is in it if it was of use before: then a disk that is full is no reason to refuse it. What is stored
 *   can be read again, and deletes make room
 * @throws UsageError if nothing can be kept in it
 */
export async function prepareDataDirectory(directory: string, content: string): Promise<void> {
  try {
    await makeSyncedDirectory(directory, directoryMode);
    await tryToWrite(directory);
  } catch (error) {
    const isFull = error instanceof Error && 'code' in error && error.code === 'ENOSPC';
    if (isFull && (await isThere(join(directory, content)))) return;
    throw new UsageError(`--data-dir ${directory} cannot be used: ${systemText(error)}`);
  }
}

async function tryToWrite(directory: string): Promise<void> {
  const trial = join(directory, `.trial-${randomBytes(4).toString('hex')}`);
  try {
    await writeFile(trial, Buffer.alloc(trialBytes), { flag: 'wx', mode: fileMode });
  } finally {
    await rm(trial, { force: true }).catch(() => undefined);
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
