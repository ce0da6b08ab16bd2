/** Directories that a failure of power does not take back. */
import { mkdir, open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

export const directoryMode = 0o700;

/** Makes it, and those above it that are missing. A new directory is an entry in the one above, which is synced. */
export async function makeDirectory(directory: string, sync = syncDirectory): Promise<void> {
  const path = resolve(directory);
  const first = await mkdir(path, { recursive: true, mode: directoryMode });
  if (first === undefined) return;
  for (let made = path; made !== dirname(first); made = dirname(made)) await sync(dirname(made));
}

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
