/**
 * Time and the turns of the event loop as they were when this module was loaded, for a client lives in the process of others:
 * test frameworks put fakes in the place of the global functions, and of the members of `node:timers` and of `performance`,
 * while a client is open. A turn asked of a fake never comes. What is due in it never happens, either when the fakes
 * are gone: whatever is shared by all connections of the process would wait for it ever after.
 *
 * The date is here for whoever watches for suspensions of this host: a fake one that is set looks like one, for which writes wait
 * until somebody has told the time. When a value ends is told by the date that the program sees.
 */
import timers from 'node:timers';
import promises from 'node:timers/promises';
import { performance } from 'node:perf_hooks';

export const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = timers;
/** Fulfilled after so many milliseconds. */
export const { setTimeout: pause } = promises;
export const { queueMicrotask, Date } = globalThis;

// eslint-disable-next-line @typescript-eslint/unbound-method -- called below as a method of what it was taken from
const { now } = performance;

/** Milliseconds of the monotonic clock. */
export function monotonicMs(): number {
  return now.call(performance);
}
