/**
 * A client in a process of its own, to be killed, stopped, or watched as it ends. Run by cluster-children.ts; what it
 * shall do comes as JSON in its first argument. It tells its parent of each step it takes.
 */
import { GTStoreClient, GTStoreError } from '../../src/client/index.js';
import type { ChildReport, ChildTask } from './cluster-children.js';
import { mapInWindow } from './cluster-window.js';

const task = JSON.parse(process.argv[2] ?? '') as ChildTask;

function tell(report: ChildReport): void {
  process.send?.(report);
}

async function attempt(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'done';
  } catch (error) {
    return error instanceof GTStoreError ? error.code : String(error);
  }
}

/**
 * Puts all keys at once, and sends itself the signal at the moment the first is acknowledged: its VALIDATE has not
 * been sent, and the other WRITEs are anywhere.
 */
async function putAndFall(store: GTStoreClient, keys: readonly string[], signal: string): Promise<void> {
  let hasFallen = false;
  const put = async (key: string): Promise<string> => {
    const outcome = await attempt(store.put(key, 'of the child'));
    if (!hasFallen) process.kill(process.pid, signal);
    hasFallen = true;
    return outcome;
  };
  tell({ outcomes: await Promise.all(keys.map(put)) });
}

/** Puts the keys in turn until somebody ends this process. */
async function putForEver(store: GTStoreClient, keys: readonly string[]): Promise<void> {
  for (let round = 1; ; round++) {
    await mapInWindow(keys, (key) => store.put(key, round));
    tell({ rounds: round });
  }
}

/** Reports nodes as failed, `count` times, as fast as it can: first always the same one, then all in turn. */
async function slander(store: GTStoreClient, count: number): Promise<void> {
  tell({ rounds: 0 });
  const ids = store.clusterMap?.nodes.map(({ id }) => id) ?? [];
  const all = Array.from({ length: count }, (_, i) => ids[i < count / 2 ? 0 : i % ids.length] ?? 0);
  const outcomes = await mapInWindow(all, (id) => attempt(store.reportNodeFailure(id)));
  tell({ outcomes: [...new Set(outcomes)] });
}

/** Does a little of everything and then nothing: the process shall end by itself. */
async function doAndLeave(store: GTStoreClient, key: string): Promise<void> {
  await store.put(key, 1);
  await store.increment(key);
  tell({ outcomes: [JSON.stringify(await store.get(key))] });
}

await using client = new GTStoreClient({ manager: task.url });
await client.init();
switch (task.act) {
  case 'put and fall':
    await putAndFall(client, task.keys, task.signal);
    break;
  case 'put for ever':
    await putForEver(client, task.keys);
    break;
  case 'slander':
    await slander(client, task.count);
    break;
  case 'do and leave':
    await doAndLeave(client, task.key);
    break;
}
// The parent's channel is the parent's affair; nothing else may keep this process.
process.disconnect();
