/**
 * The wait for nodes that were told to end. Those that store on a disk first save what they have acknowledged, which a slow
 * disk takes many seconds for: to kill one meanwhile loses that, with `interval` perhaps on every replica.
 */
import type { Logger } from '../protocol/logger.js';
import type { Durability } from '../protocol/settings.js';

const pollMs = 10;
const inMemoryMsMax = 3000;
/** Longer than a node gives itself (`closeMsMax` of its journal), and shorter than a supervisor's patience. */
const onDiskMsMax = 30_000;
/** How long those that were killed may take to be gone. */
export const killedMsMax = 3000;
/** Whoever waits is told why after so long; then again each time that it has taken twice as long. */
const toldAfterMs = 1000;

/** How long nodes may take to end in good order before they are killed. */
export function endMsMax(durability: Durability): number {
  return durability === 'none' ? inMemoryMsMax : onDiskMsMax;
}

export interface NodesEndOptions {
  /** Ids of those that still run. */
  readonly nodesLeft: () => readonly number[];
  readonly withinMs: number;
  /** Whether they store on a disk. */
  readonly isSaving: boolean;
  readonly log: Logger;
}

/** @returns whether all have ended within that time */
export function nodesEnd({ nodesLeft, withinMs, isSaving, log }: NodesEndOptions): Promise<boolean> {
  const startedAtMs = performance.now();
  let tellAfterMs = toldAfterMs;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const waitedMs = performance.now() - startedAtMs;
      const left = nodesLeft();
      if (left.length === 0 || waitedMs >= withinMs) {
        clearInterval(timer);
        resolve(left.length === 0);
      } else if (waitedMs >= tellAfterMs) {
        log.info(waitingText(left, { waitedMs: tellAfterMs, withinMs, isSaving }));
        tellAfterMs *= 2;
      }
    }, pollMs);
  });
}

interface Waiting {
  readonly waitedMs: number;
  readonly withinMs: number;
  readonly isSaving: boolean;
}

function waitingText(left: readonly number[], { waitedMs, withinMs, isSaving }: Waiting): string {
  const what = isSaving ? 'to save what they have, and end' : 'to end';
  const hint = isSaving ? '; a second Ctrl-C loses what is not saved' : '';
  return `waiting for nodes ${left.join(', ')} ${what}: ${waitedMs / 1000} s of ${withinMs / 1000} at most${hint}`;
}
