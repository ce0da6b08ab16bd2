/** Errors that nobody catches, which mocha would take for a failure of the test. */

/** Runs `act`, and keeps what the process would have been ended by meanwhile. */
export async function keepingUncaught(act: (uncaught: readonly unknown[]) => Promise<void>): Promise<void> {
  const uncaught: unknown[] = [];
  const keep = (error: unknown): void => {
    uncaught.push(error);
  };
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const others = events.map((event) => process.rawListeners(event) as (() => void)[]);
  for (const event of events) process.removeAllListeners(event).on(event, keep);
  try {
    await act(uncaught);
  } finally {
    events.forEach((event, i) => {
      process.off(event, keep);
      for (const listener of others[i] ?? []) process.on(event, listener);
    });
  }
}
