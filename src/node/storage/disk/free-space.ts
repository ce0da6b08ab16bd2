/**
 * The reserve of a disk. In it go the writes that are under way, the replays that settle them, and the tables LevelDB writes
 * before it removes others; so no key stays INVALID for want of room. Deletes may take a part of it.
 */
import { statfs } from 'node:fs/promises';
import type { Logger } from '../../../protocol/logger.js';
import { Reserve } from '../reserve.js';
import type { Left } from '../reserve.js';

/** Nodes that share the disk may all be merging tables at once (`writeBufferBytes` in database.ts says how much that takes). */
const reserveBytesMax = 512 * 1024 * 1024;
const reserveShareMax = 0.25;
/** Who removes files or keys shall not have to remove many before values are taken again. */
const enoughAgainRatio = 1.1;
/** Others may write there, too. */
const lookShare = 1 / 8;

async function freeBytesOf(directory: string): Promise<Left> {
  const { bavail, blocks, bsize } = await statfs(directory);
  return { free: bavail * bsize, total: blocks * bsize };
}

export class FreeSpace extends Reserve {
  constructor(directory: string, log: Logger, freeBytes = freeBytesOf) {
    super({
      name: directory,
      log,
      look: () => freeBytes(directory),
      bytesMax: reserveBytesMax,
      shareMax: reserveShareMax,
      enoughAgainRatio,
      lookShare,
      lookBytesMin: 0,
      words: {
        keptFor: 'writes under way and deletes',
        refused: 'new writes',
        mend: 'free some',
        takenAgain: 'writes',
      },
    });
    // What is there already may have filled it.
    void this.look();
  }
}
