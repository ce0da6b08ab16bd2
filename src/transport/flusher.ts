/**
 * When buffered bytes leave. One write per connection and loop turn: everything sent while the loop works through
 * its incoming data goes out together in its check phase (`setImmediate`), one system call instead of one per
 * message. One immediate serves all connections of the process. Flushing in a microtask or `nextTick` instead was
 * measured slower the more is in flight, since it runs between the reads of one turn. Only what a chunk of requests
 * brings forth in answers on its own connection leaves when that chunk is worked off: no more will come for it.
 *
 * Lazy bytes wait for other bytes to go with, and for about a millisecond at most: one timer for the process, which
 * is not stopped when they have gone, since it fires once at most and then finds nothing to do.
 */

export interface Flushable {
  /** On the list for the end of this turn. Set and cleared here only. */
  flushDue: boolean;
  /** On the list of the lazy timer. Set and cleared here only. */
  lazyDue: boolean;
  /** Writes what is buffered, if anything. */
  flush(): void;
}

const lazyMs = 1;

let due: Flushable[] = [];
let spare: Flushable[] = [];
const lazy: Flushable[] = [];
let lazyTimer: NodeJS.Timeout | undefined;

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

/** Flushes within about a millisecond, if nothing else does before. */
export function flushLater(flushable: Flushable): void {
  if (flushable.lazyDue) return;
  flushable.lazyDue = true;
  if (lazy.push(flushable) > 1) return;
  if (lazyTimer === undefined) lazyTimer = setTimeout(flushLazy, lazyMs).unref();
  else lazyTimer.refresh();
}

function flushLazy(): void {
  for (const flushable of lazy) {
    flushable.lazyDue = false;
    flushable.flush();
  }
  lazy.length = 0;
}
