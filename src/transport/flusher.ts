/**
 * When buffered bytes leave. One write per connection and loop turn: everything sent while the loop works through
 * its incoming data goes out together in its check phase (`setImmediate`), one system call instead of one per
 * message. One immediate serves all connections of the process. Flushing in a microtask or `nextTick` instead was
 * measured slower the more is in flight, since it runs between the reads of one turn. Only what a chunk of requests
 * brings forth in answers on its own connection leaves when that chunk is worked off: no more will come for it.
 *
 * Lazy bytes wait for other bytes to go with, since a frame by itself costs a system call here and wakes a process
 * there. A timer of the process looks after them: if nothing lazy was taken along since it looked last, the process
 * has gone quiet, and all of it leaves; else it waits on, some milliseconds at most.
 */

export interface Flushable {
  /** On the list for the end of this turn. Set and cleared here only. */
  flushDue: boolean;
  /** On the list of the lazy timer. Set and cleared here only. */
  lazyDue: boolean;
  /** The tick of the lazy timer at which its oldest lazy bytes came, 0: it has none. Set and cleared here only. */
  lazySince: number;
  /** Writes what is buffered, if anything. */
  flush(): void;
}

/** After the first lazy bytes of a process that sent none before. */
const firstTickMs = 1;
const tickMs = 2;
const waitTicksMax = 2;

let due: Flushable[] = [];
let spare: Flushable[] = [];
const lazy: Flushable[] = [];
let tick = 1;
let isTicking = false;
/** Lazy bytes went with others since the last tick. */
let wereTakenAlong = false;

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
    flushNow(flushable);
  }
  list.length = 0;
  spare = list;
}

export function flushNow(flushable: Flushable): void {
  if (flushable.lazySince !== 0) {
    flushable.lazySince = 0;
    wereTakenAlong = true;
  }
  flushable.flush();
}

/** Flushes within a few milliseconds, if nothing else does before. */
export function flushLater(flushable: Flushable): void {
  if (flushable.lazySince === 0) flushable.lazySince = tick;
  if (flushable.lazyDue) return;
  flushable.lazyDue = true;
  lazy.push(flushable);
  if (!isTicking) tickAfter(firstTickMs);
}

function tickAfter(ms: number): void {
  isTicking = true;
  setTimeout(onTick, ms).unref();
}

function onTick(): void {
  tick++;
  const leaving = wereTakenAlong ? tick - waitTicksMax : tick;
  let waiting = 0;
  for (const flushable of lazy) {
    if (flushable.lazySince > leaving) {
      lazy[waiting++] = flushable;
      continue;
    }
    flushable.lazyDue = false;
    if (flushable.lazySince === 0) continue;
    flushable.lazySince = 0;
    flushSoon(flushable);
  }
  lazy.length = waiting;
  isTicking = false;
  if (wereTakenAlong) tickAfter(tickMs);
  wereTakenAlong = false;
}
