/**
 * The reserve of memory: what no node takes for values, so that the system ends none of them for want of it. With all replicas
 * on one machine that would be the end of acknowledged data (ADR 24). In it go deletes, replays and copies, what is on its way
 * to and from sockets, and what the engine takes before it collects.
 */
import type { Logger } from '../../../protocol/logger.js';
import { Reserve } from '../reserve.js';
import { availableMemory } from './available-memory.js';

const reserveBytesMax = 512 * 1024 * 1024;
/**
 * Each node of the machine may need 25 MB more for a while, with whatever is refused and read (measured): an eighth of a container
 * of 600 MB with three nodes was not enough.
 */
const reserveShareMax = 1 / 4;
/** All nodes of the machine may be filled at the same pace, and none sees what the others take before it looks. */
const lookShare = 1 / 32;
/** A page that grows a little and shrinks again, as while nothing but deletes come, is no news. */
const lookBytesMin = 64 * 1024;

export class FreeMemory extends Reserve {
  constructor(log: Logger, look = availableMemory) {
    super({
      name: 'memory',
      log,
      look: () => look(),
      bytesMax: reserveBytesMax,
      shareMax: reserveShareMax,
      enoughAgainRatio: 1.25,
      lookShare,
      lookBytesMin,
      words: {
        keptFor: 'deletes, replays and copies',
        refused: 'new values',
        mend: 'end other programs, delete keys, or add nodes elsewhere',
        takenAgain: 'values',
      },
    });
  }
}
