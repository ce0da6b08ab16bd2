/** Room for what is new, on the node's disk and in its memory (PROTOCOL D4). */
import { RefusedReason } from '../../protocol/messages.js';
import type { FellowRoom } from './fellow-room.js';
import type { Journal } from './journal.js';
import type { KeyStore } from './store.js';

/**
 * Why a write is refused for want of room, here or at another member of the slot; -1: it is not. A delete is small, and makes
 * room; but on a disk it is written before anything is given back, and in memory its place in the list of conditional writes
 * may take more than the value did. So it may take a part of what is kept, not all.
 *
 * @param value - null: it deletes
 */
export function roomFault(
  slot: number,
  value: Uint8Array | null,
  journal: Journal,
  store: KeyStore,
  fellows: FellowRoom,
): RefusedReason | -1 {
  if (value === null) {
    if (journal.isSpent) return RefusedReason.diskFull;
    return store.isSystemSpent ? RefusedReason.memoryLow : -1;
  }
  const own = ownRoomFault(journal, store);
  return own === -1 ? fellows.fault(slot) : own;
}

/** Why this node takes no values; -1: it does. */
export function ownRoomFault(journal: Journal, store: KeyStore): RefusedReason | -1 {
  if (journal.isFull) return RefusedReason.diskFull;
  if (!store.isFull) return -1;
  return store.isSystemLow ? RefusedReason.memoryLow : RefusedReason.memoryFull;
}
