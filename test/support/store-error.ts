/** With what a call to the store fails, where a test looks at the error. */
import { GTStoreError } from '../../src/client/index.js';

/** @returns undefined: it does not fail. @throws (rejects) whatever is no GTStoreError */
export async function failureOf(call: Promise<unknown>): Promise<GTStoreError | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (error instanceof GTStoreError) return error;
    throw error;
  }
}

/** Of a call that must fail; one that throws at once counts like one that rejects. */
export async function errorOf(call: () => Promise<unknown>): Promise<GTStoreError> {
  const error = await failureOf((async () => call())());
  if (error === undefined) throw new Error('it was accepted');
  return error;
}
