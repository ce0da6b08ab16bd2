/** Run by remote-client.ts, on another host; its argument is the manager's address. Ends with its parent. */
import { GTStoreClient, GTStoreError } from '../../src/client/index.js';
import type { NumberedAnswer, NumberedCall, RemoteCall } from './remote-client.js';

const store = new GTStoreClient({ manager: process.argv[2] ?? '', readFrom: 'any' });
store.on('error', () => undefined);
const ready = store.init();

async function act(call: RemoteCall): Promise<unknown> {
  await ready;
  if (call.act === 'status') return store.status();
  const options = call.timeoutMs === undefined ? {} : { timeoutMs: call.timeoutMs };
  if (call.act === 'get') return store.get(call.key, options);
  await store.put(call.key, call.value, options);
  return undefined;
}

async function answer({ id, call }: NumberedCall): Promise<void> {
  const startedAtMs = Date.now();
  let outcome = 'done';
  let value: unknown;
  try {
    value = await act(call);
  } catch (error) {
    outcome = error instanceof GTStoreError ? error.code : String(error);
  }
  const message: NumberedAnswer = { id, answer: { outcome, value, startedAtMs, endedAtMs: Date.now() } };
  process.send?.(message);
}

process.on('message', (message) => {
  void answer(message as NumberedCall);
});
process.on('disconnect', () => {
  process.exit(0);
});
process.on('SIGTERM', () => {
  process.exit(0);
});
