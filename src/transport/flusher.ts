/**
 * When buffered bytes leave. One write per connection and loop turn: everything sent while the loop works through
 * its incoming data goes out together in its check phase (`setImmediate`), one system call instead of one per
 * message. One immediate serves all connections of the process. Flushing in a microtask or `nextTick` instead was
 * measured slower the more is in flight, since it runs between the reads of one turn. Only what a chunk of requests
 * brings forth in answers on its own connection leaves when that chunk is worked off: no more will come for it. And an
 * operation that is the only one of its client leaves within the call.
 *
 * Lazy bytes wait for other bytes to go with, and for some milliseconds at most: one timer for the process, which ticks
 * about once a millisecond while any wait. Each waits for its own tick, so that its time is not cut short by what came
 * before it.
 */
import { setImmediate, setTimeout } from './real-time.js';

export interface Flushable {
  /** On the list for the end of this turn. Set and cleared here only. */
  flushDue: boolean;
  /** On the list of the lazy timer. Set and cleared here only. */
  lazyDue: boolean;
  /** The tick of that timer at which lazy bytes leave by themselves. Whoever flushes sets it to `nothingLazy`. */
  lazyTick: number;
  /** Writes what is buffered, if anything. */
  flush(): void;
}

const tickMs = 1;
/** No lazy bytes wait. */
export const nothingLazy = 0;

let due: Flushable[] = [];
let spare: Flushable[] = [];
const lazy: Flushable[] = [];
let lazyTimer: NodeJS.Timeout | undefined;
/** Of the lazy timer, since something lazy has waited without a break. */
let ticks = 0;

/** Flushes at the end of the current loop turn. */
export function flushSoon(flushable: Flushable): void {
  if (flushable.flushDue) return;
  flushable.flushDue = true;
  if (due.push(flushable) === 1) setImmediate(flushDue);
}

function flushDue(): void {
  const list = due;
  // Whoever becomes due while this list is worked off has a turn of his own.
  due = spare;
  for (const flushable of list) {
    flushable.flushDue = false;
    flushable.flush();
  }
  list.length = 0;
  spare = list;
}

/**
 * Flushes within about so many milliseconds, if nothing else does before.
 *
 * @param patienceMs - a whole number of milliseconds, 1 or more
 */
export function flushLater(flushable: Flushable, patienceMs: number): void {
  const tick = ticks + patienceMs / tickMs;
  if (flushable.lazyTick === nothingLazy || tick < flushable.lazyTick) flushable.lazyTick = tick;
  if (flushable.lazyDue) return;
  flushable.lazyDue = true;
  if (lazy.push(flushable) === 1) tickSoon();
}

function tickSoon(): void {
  if (lazyTimer === undefined) lazyTimer = setTimeout(onTick, tickMs).unref();
  else lazyTimer.refresh();
}

function onTick(): void {
  ticks++;
  let kept = 0;
  for (const flushable of lazy) {
    if (flushable.lazyTick > ticks) {
      lazy[kept++] = flushable;
    } else {
      flushable.lazyDue = false;
      // Nothing that is lazy waits any more, or its time has come.
      if (flushable.lazyTick !== nothingLazy) flushable.flush();
    }
  }
  lazy.length = kept;
  if (kept > 0) tickSoon();
  else ticks = 0;
}
