/**
 * A directory for one manager at a time. Two would overwrite each other's state, and give out epochs and incarnations
 * twice. The port tells most of them apart, and process ids the rest, but not in two containers that share a volume.
 * The lock is that of a database in which nothing is stored: the system lifts it when the process ends, however it does.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../protocol/logger.js';

/** Lets go of the directory. @param forGood - nothing shall be left of the lock, either */
export type Unlock = (forGood: boolean) => Promise<void>;

/** @returns null: another process holds it */
export async function lockDirectory(directory: string, log: Logger): Promise<Unlock | null> {
  const path = join(directory, 'manager-lock');
  const { ClassicLevel } = await import('classic-level');
  for (let attempt = 1; ; attempt++) {
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const db = new ClassicLevel(path);
      await db.open();
      return async (forGood) => {
        await db.close();
        if (forGood) await rm(path, { recursive: true, force: true });
      };
    } catch (error) {
      if (isLocked(error)) return null;
      if (attempt === 1) {
        // There is nothing in it that could not be made anew.
        await rm(path, { recursive: true, force: true }).catch(() => undefined);
        continue;
      }
      log.warn(`${directory} cannot be locked, and a second manager would not be kept out: ${String(error)}`);
      return () => Promise.resolve();
    }
  }
}

function isLocked(error: unknown): boolean {
  const { cause } = error as { readonly cause?: { readonly code?: unknown } };
  return cause?.code === 'LEVEL_LOCKED';
}
