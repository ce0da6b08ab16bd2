/**
 * Directories, made one by one from the top down. Node's own `mkdir` with `recursive` goes round for ever where the system
 * says of a directory that it does not exist although the one above does (`/proc/x`), and says so itself of a file system
 * that cannot be written *[found]*.
 */
import { mkdir, open, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Makes a directory, and those above it that are missing.
 * @param mode - of each that is made
 * @returns those that were made, the uppermost first
 */
export async function makeDirectory(path: string, mode = 0o777): Promise<readonly string[]> {
  const missing = await missingOf(resolve(path));
  for (const each of missing) {
    try {
      await mkdir(each, { mode });
    } catch (error) {
      // Another process may have made it meanwhile.
      if (codeOf(error) !== 'EEXIST' || !(await isDirectory(each).catch(() => false))) throw error;
    }
  }
  return missing;
}

/** The same, and it survives a power failure: a new directory is an entry in the one above. */
export async function makeSyncedDirectory(path: string, mode?: number, sync = syncDirectory): Promise<void> {
  for (const made of await makeDirectory(path, mode)) await sync(dirname(made));
}

/** What was made, renamed or removed in it survives a power failure. */
export async function syncDirectory(path: string): Promise<void> {
  // There a directory cannot be opened, and its changes are not put off.
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function missingOf(path: string): Promise<string[]> {
  const missing: string[] = [];
  for (let each = path; !(await isDirectory(each)); each = dirname(each)) {
    missing.unshift(each);
    if (each === dirname(each)) break;
  }
  return missing;
}

/** @returns false if there is nothing. @throws Error if it is anything else */
async function isDirectory(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
  throw Object.assign(new Error(`EEXIST: what has that name is no directory, mkdir '${path}'`), {
    code: 'EEXIST',
  });
}

function codeOf(error: unknown): unknown {
  return (error as NodeJS.ErrnoException).code;
}
