/**
 * The manager as a process sees it: a socket to listen on, a timer, a clock, child processes and a state file around
 * the pure core.
 */
import { randomBytes } from 'node:crypto';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Logger } from '../protocol/logger.js';
import { MessageType, PeerRole, protocolVersion } from '../protocol/messages.js';
import type { ErrorMessage, HelloMessage, WelcomeMessage } from '../protocol/messages.js';
import { defaultSettings, frameBytesMax, replicasMax } from '../protocol/settings.js';
import type { ClusterSettings } from '../protocol/settings.js';
import type { ClusterStatus } from '../protocol/status.js';
import { newError } from '../transport/handshake.js';
import { listen } from '../transport/listener.js';
import type { Listener } from '../transport/listener.js';
import { SampledClock } from '../transport/sampled-clock.js';
import { ManagerCore } from './core/manager-core.js';
import type { ManagerState } from './core/state.js';
import { FileMetadataStore, MemoryMetadataStore } from './metadata-store.js';
import type { MetadataStore } from './metadata-store.js';
import { StateWriter } from './state-writer.js';
import { isNodeAlive, Spawner } from './spawner.js';

const tickMs = 10;
/** Slots per cluster: the multiple of the number of nodes next to this. */
const slotsAimed = 256;
/** Nodes that no later manager could find end after so long without theirs. */
const endWithoutManagerMs = 10_000;
/** How long nodes may take to end in good order before they are killed. */
const stopMsMax = 3000;
/** So many deaths of nodes before the cluster is ready mean that it will not be. */
const startFailuresMax = 5;

export interface ManagerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** How many nodes to fork. */
  readonly nodes: number;
  readonly settings?: Partial<Omit<ClusterSettings, 'slotCount'>>;
  /** Whether a node that died is started again; default true. */
  readonly respawn?: boolean;
  /** Where the state is kept; default: a directory of this user's for host and port, none for port 0. */
  readonly dataDir?: string;
  /** JS file to fork as a node; see `NodeArgument`. */
  readonly nodeEntry: string;
  /** Handed to each node with the rest. */
  readonly nodeExtras?: object;
  readonly log: Logger;
}

/** What a forked node is given, as JSON in its first argument. */
export interface NodeArgument {
  readonly manager: { readonly host: string; readonly port: number };
  readonly host: string;
  readonly nodeId: number;
  readonly frameBytesMax: number;
  /** Set if no later manager could find the node: it ends when its manager has been away for so long. */
  readonly endWithoutManagerMs?: number;
}

/** The options do not fit each other, or what runs already. The message says how to mend it. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/**
 * Listens, forks the nodes of a new cluster or takes over one whose manager has died, and returns; `whenReady` waits.
 * @throws UsageError, ListenError, or what the state file's reading threw
 */
export async function startManager(options: ManagerOptions): Promise<ManagerServer> {
  checkCounts(options);
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
      onOpen: (connection) => listening.server?.core.onLinkOpen(connection),
      onBatchStart: () => listening.server?.clock.sample(),
      onMessage: (connection, message) => listening.server?.core.onMessage(connection, message),
      onClose: (connection, reason) => {
        if (reason.code !== 'ended') options.log.debug(`connection closed: ${reason.text}`);
        listening.server?.core.onLinkClosed(connection);
      },
    },
  });
  try {
    const store = metadataStore(options, listener.port);
    const restored = usableState(await store.load(), options);
    listening.server = new ManagerServer(options, listener, store, restored);
    listening.server.start();
    return listening.server;
  } catch (error) {
    await listener.close();
    throw error;
  }
}

function checkCounts({ nodes, settings }: ManagerOptions): void {
  const replicas = settings?.replicas ?? defaultSettings.replicas;
  if (!Number.isInteger(nodes) || nodes < 1) throw new UsageError(`${nodes} nodes: give at least 1`);
  if (!Number.isInteger(replicas) || replicas < 1)
    throw new UsageError(`${replicas} replicas: give at least 1`);
  if (replicas > replicasMax) throw new UsageError(`${replicas} replicas: give at most ${replicasMax}`);
  if (replicas > nodes) {
    throw new UsageError(
      `${replicas} replicas need at least ${replicas} nodes, not ${nodes}: give more nodes or fewer replicas`,
    );
  }
}

function metadataStore({ dataDir, host, port }: ManagerOptions, boundPort: number): MetadataStore {
  if (dataDir !== undefined) return new FileMetadataStore(dataDir);
  if (port === 0) return new MemoryMetadataStore();
  const { uid, username } = userInfo();
  const owner = uid >= 0 ? String(uid) : username;
  return new FileMetadataStore(
    join(tmpdir(), `gtstore-${owner}`, `${host.replaceAll(':', '_')}-${boundPort}`),
  );
}

/** The state of a cluster whose nodes still run; null if there is none to take over. */
function usableState(
  state: ManagerState | null,
  { nodes, settings, nodeEntry, log }: ManagerOptions,
): ManagerState | null {
  if (state === null) return null;
  const alive = state.knownNodes.filter((node) => node.pid > 0 && isNodeAlive(node.pid, nodeEntry));
  if (alive.length === 0) {
    log.info('the nodes of the former cluster here are gone, and their data with them; beginning anew');
    return null;
  }
  const replicas = settings?.replicas ?? defaultSettings.replicas;
  const { nodeCount, settings: present, replicasAtCreation = present.replicas } = state;
  // Either what the cluster was created with or what administrators have made of it.
  if (nodeCount !== nodes || ![present.replicas, replicasAtCreation].includes(replicas)) {
    throw new UsageError(
      `a cluster of ${nodeCount} nodes and ${replicasAtCreation} replicas still runs here without its manager: ` +
        `start with -n ${nodeCount} -k ${replicasAtCreation} to take it over, or end its nodes (pids ${alive.map((n) => n.pid).join(' ')})`,
    );
  }
  return state;
}

export class ManagerServer {
  readonly core: ManagerCore;
  readonly clock = new SampledClock();
  readonly #options: ManagerOptions;
  readonly #listener: Listener;
  readonly #store: MetadataStore;
  readonly #writer: StateWriter;
  readonly #spawner: Spawner;
  readonly #settings: ClusterSettings;
  /** Of the cluster's clock; it never goes back, also not across restarts of the manager. */
  readonly #clockBaseUs: number;
  #timer: NodeJS.Timeout | undefined;
  #ready: { resolve: () => void; reject: (error: Error) => void } | undefined;
  readonly #whenReady: Promise<void>;
  #startFailures = 0;
  #isReady = false;
  #stopping: Promise<void> | undefined;

  constructor(
    options: ManagerOptions,
    listener: Listener,
    store: MetadataStore,
    restored: ManagerState | null,
  ) {
    this.#options = options;
    this.#listener = listener;
    this.#store = store;
    this.#settings = {
      ...defaultSettings,
      ...options.settings,
      slotCount: Math.max(1, Math.ceil(slotsAimed / options.nodes)) * options.nodes,
    };
    this.#clockBaseUs = Date.now() * 1000 - this.clock.nowMs * 1000;
    this.#whenReady = new Promise((resolve, reject) => {
      this.#ready = { resolve, reject };
    });
    // Whoever does not wait for it must not be ended by it.
    this.#whenReady.catch(() => undefined);
    this.#spawner = new Spawner({
      entry: options.nodeEntry,
      argument: (nodeId) => this.#nodeArgument(nodeId),
      onExit: (nodeId, pid) => {
        this.#onExit(nodeId, pid);
      },
    });
    this.#writer = new StateWriter(
      store,
      options.log,
      (serial) => {
        this.clock.sample();
        this.core.onPersisted(serial);
      },
      (error) => {
        // Whoever starts a cluster wants to know now; one that has lived before goes on with the map it has.
        if (restored === null)
          this.#ready?.reject(new Error(`the manager's state cannot be saved: ${String(error)}`));
      },
    );
    this.core = new ManagerCore({
      ports: this.#ports(),
      settings: this.#settings,
      clusterId: randomBytes(8).toString('hex'),
      nodeCount: options.nodes,
      respawn: options.respawn ?? true,
      address: { host: listener.host, port: listener.port, pid: process.pid },
      restored,
    });
    for (const node of restored?.knownNodes ?? []) if (node.pid > 0) this.#spawner.adopt(node.id, node.pid);
  }

  get address(): { host: string; port: number } {
    return { host: this.#listener.host, port: this.#listener.port };
  }

  /** Fulfilled once every node serves. @throws Error (rejects) if the nodes cannot be started. */
  whenReady(): Promise<void> {
    return this.#whenReady;
  }

  status(): ClusterStatus {
    this.clock.sample();
    return this.core.status();
  }

  start(): void {
    this.clock.sample();
    this.core.start();
    this.#timer = setInterval(() => {
      this.#tick();
    }, tickMs);
  }

  #ports(): ConstructorParameters<typeof ManagerCore>[0]['ports'] {
    return {
      nowMs: () => this.clock.nowMs,
      clockUs: () => Math.floor(this.#clockBaseUs + this.clock.nowMs * 1000),
      random: Math.random,
      spawn: (nodeId) => {
        this.#spawner.spawn(nodeId);
      },
      watch: (nodeId, pid) => {
        this.#spawner.adopt(nodeId, pid);
      },
      persist: (state) => {
        this.#writer.write(state);
      },
      log: (level, text) => {
        this.#options.log[level](text);
      },
    };
  }

  #nodeArgument(nodeId: number): NodeArgument & object {
    const { host } = this.#options;
    return {
      ...(this.#store.outlivesProcess ? {} : { endWithoutManagerMs }),
      ...this.#options.nodeExtras,
      manager: this.address,
      host,
      nodeId,
      frameBytesMax: frameBytesMax(this.core.settings),
    };
  }

  #onExit(nodeId: number, pid: number): void {
    if (!this.#isReady && ++this.#startFailures >= startFailuresMax) {
      this.#ready?.reject(new Error(`the nodes end as soon as they are started; their last words are above`));
    }
    this.clock.sample();
    this.core.onProcessExit(nodeId, pid);
  }

  /** The WELCOME, or why not. */
  greet(hello: HelloMessage): WelcomeMessage | ErrorMessage {
    const { clusterId } = this.core;
    if (hello.clusterId !== '' && hello.clusterId !== clusterId) {
      return newError('PROTOCOL', `this is the manager of cluster ${clusterId}, not of ${hello.clusterId}`);
    }
    this.clock.sample();
    return {
      type: MessageType.welcome,
      protocolVersion,
      role: PeerRole.manager,
      clusterId,
      senderId: 0,
      incarnation: 0,
      clockUs: Math.floor(this.#clockBaseUs + this.clock.nowMs * 1000),
      frameBytesMax: frameBytesMax(this.core.settings),
    };
  }

  #tick(): void {
    this.clock.sample();
    this.core.tick();
    if (this.#isReady || !this.core.isSettled) return;
    this.#isReady = true;
    this.#ready?.resolve();
  }

  /** Orders the nodes to end, waits for them, kills whoever does not end, and closes. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#ready?.reject(new Error('the manager was stopped'));
    this.core.stop();
    clearInterval(this.#timer);
    this.#spawner.kill('SIGTERM');
    if (!(await this.#nodesEnd(stopMsMax))) {
      this.#options.log.warn('some nodes do not end; killing them');
      this.#spawner.kill('SIGKILL');
      await this.#nodesEnd(stopMsMax);
    }
    this.#spawner.close();
    await this.#listener.close();
    await this.#writer.close();
    await this.#store.clear();
  }

  /** Ends the nodes at once, without ceremony: for a user who will not wait. */
  kill(): void {
    this.#spawner.kill('SIGKILL');
  }

  /** @returns whether all have ended within that time. */
  #nodesEnd(withinMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const untilMs = performance.now() + withinMs;
      const timer = setInterval(() => {
        const isOver = this.#spawner.pids.length === 0;
        if (!isOver && performance.now() < untilMs) return;
        clearInterval(timer);
        resolve(isOver);
      }, tickMs);
    });
  }
}
