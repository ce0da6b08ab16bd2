/**
 * A client process of GTStore: the public client, promises and all.
 *
 *     store-client {"workload": ..., "url": ..., "readFrom": ...}
 */
import { GTStoreClient } from '../src/client/index.js';
import { serveRequests } from './driver.js';
import { PromiseDriver } from './promise-driver.js';
import type { Workload } from './workload.js';

export interface StoreClientArgument {
  readonly workload: Workload;
  readonly url: string;
  readonly readFrom: 'primary' | 'any';
}

const { workload, url, readFrom } = JSON.parse(process.argv[2] ?? '{}') as StoreClientArgument;
const sessions = Array.from(
  { length: workload.sessions },
  () => new GTStoreClient({ manager: url, readFrom }),
);
/** Clients that log in at the same time: a manager's queue for new connections is finite. */
const openAtOnce = 50;
/** A busy machine may take long over a thousand. */
const openMsMax = 60_000;
for (let from = 0; from < sessions.length; from += openAtOnce) {
  await Promise.all(
    sessions.slice(from, from + openAtOnce).map((session) => session.init({ timeoutMs: openMsMax })),
  );
}
const driver = new PromiseDriver(sessions, workload);
await driver.fill();
serveRequests(driver);
