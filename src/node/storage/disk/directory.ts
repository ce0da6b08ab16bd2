/**
 * The directory of a node's database. What is not what was saved is set aside as a whole, never mended and never deleted:
 * a part of the records is worth nothing, and the other replicas have them all.
 */
import { existsSync } from 'node:fs';
import { mkdir, realpath, rename } from 'node:fs/promises';
import { makeSyncedDirectory } from '../../../files/directories.js';
import type { Logger } from '../../../protocol/logger.js';
import type { Database } from './batch.js';
import { checkFiles } from './check.js';
import { assertUnlocked, DirectoryLocked, OtherFormat, readAllMeta } from './database.js';
import type { Meta } from './database.js';
import { Corruption } from './format.js';
import { openInLittleRoom } from './little-room.js';
import { SavedMark } from './saved-mark.js';

export interface OpenDirectory {
  readonly db: Database;
  readonly meta: Meta;
  readonly mark: SavedMark;
}

/** It is damaged, and would have to be moved by hand. */
class NotMovable extends Error {
  override readonly name = 'NotMovable';
}

/** @throws an error that names the directory and says how to mend it */
export async function openDirectory(directory: string, log: Logger): Promise<OpenDirectory> {
  try {
    await makeSyncedDirectory(directory, 0o700);
    return await openSound(directory, log).catch(async (error: unknown) => {
      if (!(error instanceof Corruption)) throw error;
      await setAside(directory, error, log);
      return openSound(directory, log);
    });
  } catch (error) {
    if (error instanceof DirectoryLocked || error instanceof NotMovable) throw error;
    if (error instanceof OtherFormat) {
      const way = 'run that version, or move the directory away to begin without what it holds';
      throw new Error(`${directory} was ${error.message}; ${way}`, { cause: error });
    }
    const text = `cannot keep data in ${directory}: ${String(error)}; mend that, or choose another --data-dir`;
    throw new Error(text, { cause: error });
  }
}

/** @throws Corruption; then the database is closed */
async function openSound(directory: string, log: Logger): Promise<OpenDirectory> {
  await assertUnlocked(directory);
  await checkFiles(directory);
  const mark = await SavedMark.open(directory, log);
  let db: Database | undefined;
  try {
    db = await openInLittleRoom(directory);
    const meta = await readAllMeta(db);
    if (meta.batch < mark.number) throw new Corruption(`batch ${meta.batch} is the last of ${mark.number}`);
    return { db, meta, mark };
  } catch (error) {
    await db?.close();
    await mark.close();
    throw error;
  }
}

/**
 * Leaves an empty one in its place. The database in it must be closed. Where a link leads to it, it is set aside where it is, on the
 * same disk.
 */
export async function setAside(directory: string, reason: Corruption, log: Logger): Promise<void> {
  await assertUnlocked(directory);
  const real = await realpath(directory);
  let n = 1;
  while (existsSync(`${real}.corrupt-${n}`)) n++;
  const aside = `${real}.corrupt-${n}`;
  await rename(real, aside).catch((error: unknown) => {
    throw notMovable(error, real, reason);
  });
  await mkdir(real, { mode: 0o700 });
  log.error(
    `${directory} was damaged (${reason.message}): moved to ${aside}; the node begins without it and copies from the others`,
  );
}

function notMovable(error: unknown, directory: string, { message }: Corruption): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'EBUSY' && code !== 'EXDEV') return error;
  const what = `${directory} is damaged (${message}), and cannot be set aside, for it is a mount point (${code})`;
  return new NotMovable(`${what}: move what is in it elsewhere, and start the node again`, { cause: error });
}
