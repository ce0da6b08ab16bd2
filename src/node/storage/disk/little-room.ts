/**
 * Opening on a disk without room. LevelDB begins a manifest and a log before it removes the tables it no longer needs, which after a merge
 * that filled the disk are what fills it. So they are removed before it tries again.
 */
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Database } from './batch.js';
import { tablesUnused } from './check.js';
import { openDatabase } from './database.js';

const noRoom = /No space left|Disk quota exceeded|File too large|ENOSPC|EDQUOT|EFBIG/;

export function isNoRoom(error: unknown): boolean {
  return noRoom.test(String(error));
}

/** Its files have been checked, and nobody else has it open. @throws as `openDatabase` does */
export async function openInLittleRoom(directory: string): Promise<Database> {
  try {
    return await openDatabase(directory);
  } catch (error) {
    if (!isNoRoom(error)) throw error;
    const unused = await tablesUnused(directory);
    if (unused.length === 0) throw error;
    for (const each of unused) await unlink(join(directory, each));
    return openDatabase(directory);
  }
}
