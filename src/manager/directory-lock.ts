/**
 * A directory for one manager at a time. Two would overwrite each other's state, and give out epochs and incarnations
 * twice. The port tells most of them apart, and process ids the rest, but not in two containers that share a volume.
 * The lock is that of a database in which nothing is stored: the system lifts it when the process ends, however it does.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Lets go of the directory. @param forGood - nothing shall be left of the lock, either */
export type Unlock = (forGood: boolean) => Promise<void>;

/** @returns null: another process holds it */
export async function lockDirectory(directory: string): Promise<Unlock | null> {
  const { ClassicLevel } = await import('classic-level');
  const path = join(directory, 'manager-lock');
  const db = new ClassicLevel(path);
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await db.open();
  } catch (error) {
    if (isLocked(error)) return null;
    // Not writable, or full: what is to be saved there says so better, and when it matters.
    return () => Promise.resolve();
  }
  return async (forGood) => {
    await db.close();
    if (forGood) await rm(path, { recursive: true, force: true });
  };
}

function isLocked(error: unknown): boolean {
  const { cause } = error as { readonly cause?: { readonly code?: unknown } };
  return cause?.code === 'LEVEL_LOCKED';
}
