import { setImmediate as turn } from 'node:timers/promises';

/** What this process warns of meanwhile, such as of a leak. */
export async function warningsOf(act: () => Promise<void>): Promise<string[]> {
  const warnings: string[] = [];
  const keep = (warning: Error): void => {
    warnings.push(warning.message);
  };
  process.on('warning', keep);
  try {
    await act();
    // A warning comes with the next tick.
    await turn();
  } finally {
    process.off('warning', keep);
  }
  return warnings;
}
