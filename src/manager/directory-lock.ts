/**
 * A directory for one manager at a time. Two would overwrite each other's state, and give out epochs and incarnations
 * twice. The port tells most of them apart, and process ids the rest, but not in two containers that share a volume.
 * The lock is that of a database in which nothing is stored: the system lifts it when the process ends, however it does.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeSyncedDirectory } from '../files/directories.js';
import type { Logger } from '../protocol/logger.js';

/** Lets go of the directory. @param forGood - nothing shall be left of the lock, either */
export type Unlock = (forGood: boolean) => Promise<void>;

/** Where nothing is locked. */
export const noLock: Unlock = () => Promise.resolve();

/** @returns null: another process holds it */
export async function lockDirectory(directory: string, log: Logger): Promise<Unlock | null> {
  const path = join(directory, 'manager-lock');
  const { ClassicLevel } = await import('classic-level');
  for (let attempt = 1; ; attempt++) {
    try {
      await makeSyncedDirectory(directory, 0o700);
      const db = new ClassicLevel(path);
      await db.open();
      return async (forGood) => {
        await db.close();
        if (forGood) await rm(path, { recursive: true, force: true });
      };
    } catch (error) {
      if (isLocked(error)) return null;
      if (attempt === 1) {
        await removeDatabase(path);
        continue;
      }
      log.warn(`${directory} cannot be locked, and a second manager would not be kept out: ${String(error)}`);
      return noLock;
    }
  }
}

/** Of a database that is damaged, all but the file that is the lock: another process may have it by now. */
async function removeDatabase(path: string): Promise<void> {
  const names = await readdir(path).catch(() => []);
  for (const name of names)
    if (name !== 'LOCK') await rm(join(path, name), { recursive: true, force: true }).catch(() => undefined);
}

function isLocked(error: unknown): boolean {
  const { cause } = error as { readonly cause?: { readonly code?: unknown } };
  return cause?.code === 'LEVEL_LOCKED';
}
