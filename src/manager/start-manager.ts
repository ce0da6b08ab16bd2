/** From options to a manager that listens: its port, its directory and what is stored there. */
import { newError } from '../transport/handshake.js';
import { listen } from '../transport/listener.js';
import { lockDirectory, noLock } from './directory-lock.js';
import type { Unlock } from './directory-lock.js';
import type { ManagerOptions } from './manager-options.js';
import { ManagerServer } from './manager-server.js';
import { metadataStore, resolveCounts, usableState, UsageError } from './stored-cluster.js';

/**
 * Listens, forks the nodes of a new cluster or takes over one whose manager has died, and returns; `whenReady` waits.
 * @throws UsageError, ListenError, or what the state file's reading threw
 */
export async function startManager(options: ManagerOptions): Promise<ManagerServer> {
  const listening: { server?: ManagerServer } = {};
  // The port first: whoever holds it is the manager, and alone may touch its state.
  const listener = await listen({
    host: options.host,
    port: options.port,
    onHello: (hello) =>
      listening.server?.greet(hello) ?? newError('UNAVAILABLE', 'the manager is still starting'),
    onRefused: (remote, reason) => {
      options.log.debug(`${remote} was turned away: ${reason.text}`);
    },
    handlers: {
      onOpen: (connection) => listening.server?.opened(connection),
      onBatchStart: () => listening.server?.clock.sample(),
      onMessage: (connection, message) => listening.server?.core.onMessage(connection, message),
      onClose: (connection, reason) => {
        if (reason.code !== 'ended') options.log.debug(`connection closed: ${reason.text}`);
        listening.server?.closed(connection);
      },
    },
  });
  let unlock = noLock;
  try {
    unlock = await lockedDirectory(options);
    const store = metadataStore(options, listener.port);
    const restored = usableState(await store.load(), options, listener.port);
    const counts = resolveCounts(options, restored);
    listening.server = new ManagerServer(options, listener, store, restored, counts, unlock);
    listening.server.start();
    return listening.server;
  } catch (error) {
    await listener.close();
    await unlock(false);
    throw error;
  }
}

/** @throws UsageError if another manager works there */
async function lockedDirectory({ dataDir, log }: ManagerOptions): Promise<Unlock> {
  if (dataDir === undefined) return noLock;
  const unlock = await lockDirectory(dataDir, log);
  if (unlock === null)
    throw new UsageError(`another manager works in ${dataDir}: end it, or give another --data-dir`);
  return unlock;
}
