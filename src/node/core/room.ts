/** Room for what is new, on the node's disk and in its memory (PROTOCOL D4). */
import { RefusedReason } from '../../protocol/messages.js';
import type { Journal } from './journal.js';
import type { KeyStore } from './store.js';

/**
 * Why a write is refused for want of room; -1: it is not. A delete is small, and makes room: on a disk it may be refused
 * all the same, since it is written there before anything is given back; in memory it never is.
 *
 * @param value - null: it deletes
 */
export function roomFault(value: Uint8Array | null, journal: Journal, store: KeyStore): RefusedReason | -1 {
  if (value === null) return journal.isSpent ? RefusedReason.diskFull : -1;
  if (journal.isFull) return RefusedReason.diskFull;
  if (!store.isFull) return -1;
  return store.isSystemLow ? RefusedReason.memoryLow : RefusedReason.memoryFull;
}
