/** Numbers on the command lines of the benchmarks. */

/** @throws Error: one line that says what to give instead */
export function positive(name: string, text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new Error(`--${name} ${text}: give a number above 0`);
}

/** How often something is done: whole, rounded up. @throws Error as `positive` */
export function positiveCount(name: string, text: string): number {
  return Math.ceil(positive(name, text));
}
