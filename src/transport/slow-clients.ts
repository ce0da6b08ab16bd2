/** What slow readers and slow senders have in common: what waits on account of all of them together has one bound. */

/** How much may wait where nobody says otherwise. */
export const bytesMaxDefault = 256 * 1024 * 1024;
/** Of the average: whoever has less is not cut off. */
export const spareRatio = 1 / 2;

export interface SlowClient {
  readonly remote: string;
  /** Ends it now: what waits is dropped. */
  destroy(text: string, code: 'overflow'): void;
}

/**
 * Asked whenever more waits.
 *
 * @param bytes - what waits on account of all of them
 * @param grownBytes - by how much that has grown just now
 * @returns how much may wait
 */
export type RoomForClients = (bytes: number, grownBytes: number) => number;
