/**
 * The manager as a process sees it: a socket to listen on, a timer, a clock, child processes and a state file around
 * the pure core.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { MessageType, PeerRole, protocolVersion } from '../protocol/messages.js';
import type { ErrorMessage, HelloMessage, WelcomeMessage } from '../protocol/messages.js';
import { defaultSettings, frameBytesMax } from '../protocol/settings.js';
import type { ClusterSettings } from '../protocol/settings.js';
import type { ClusterStatus } from '../protocol/status.js';
import { AfterPollTimer } from '../transport/after-poll.js';
import { otherCluster } from '../transport/close-reason.js';
import type { Connection } from '../transport/connection.js';
import { newError } from '../transport/handshake.js';
import type { Listener } from '../transport/listener.js';
import { ManagerCore } from './core/manager-core.js';
import { managerTimings } from './core/ports.js';
import type { ManagerTimings } from './core/ports.js';
import type { KnownNode, ManagerState } from './core/state.js';
import { HostClock } from './host-clock.js';
import type { Unlock } from './directory-lock.js';
import type { ManagerOptions, NodeArgument } from './manager-options.js';
import type { MetadataStore } from './metadata-store.js';
import { endMsMax, killedMsMax, nodesEnd } from './nodes-end.js';
import { Spawner } from './spawner.js';
import { StartFailures } from './start-failures.js';
import { StateWriter } from './state-writer.js';
import { limitsOf } from './stored-cluster.js';
import type { Counts } from './stored-cluster.js';

const tickMs = 10;
/** A node that reads its disk first takes longer to come back, and then needs little: its place is kept for longer. */
const durableTimings: ManagerTimings = { ...managerTimings, rejoinGraceMs: 10_000 };
/** Slots per cluster: the multiple of the number of nodes next to this. */
const slotsAimed = 256;
/** Nodes that no later manager could find end after so long without theirs. */
const orphanMsMax = 10_000;

export class ManagerServer {
  readonly core: ManagerCore;
  readonly clock = new HostClock(() => {
    this.core.clock.onSuspended();
    this.#dismissClients();
  });
  readonly counts: Counts;
  readonly #options: ManagerOptions;
  readonly #listener: Listener;
  readonly #store: MetadataStore;
  readonly #unlock: Unlock;
  readonly #writer: StateWriter;
  readonly #spawner: Spawner;
  readonly #settings: ClusterSettings;
  /** Part of what nodes are given and of the state. */
  readonly #limits: Pick<ManagerState, 'memoryBytesMax'>;
  readonly #clients = new Set<Connection>();
  #timer: AfterPollTimer | undefined;
  #ready: { resolve: () => void; reject: (error: Error) => void } | undefined;
  readonly #whenReady: Promise<void>;
  readonly #startFailures: StartFailures;
  /** No node serves yet: all of them are to be started. */
  readonly #beginsWithout: boolean;
  /** It was not stored: if it cannot be started nothing is lost by ending it. */
  readonly #isNew: boolean;
  readonly #formerNodes: readonly KnownNode[];
  #isReady = false;
  #stopping: Promise<void> | undefined;

  constructor(
    options: ManagerOptions,
    listener: Listener,
    store: MetadataStore,
    restored: ManagerState | null,
    counts: Counts,
    unlock: Unlock,
  ) {
    this.counts = counts;
    this.#unlock = unlock;
    this.#options = options;
    this.#listener = listener;
    this.#store = store;
    this.#settings = {
      ...defaultSettings,
      durability: options.dataDir === undefined ? 'none' : 'interval',
      ...options.settings,
      slotCount: Math.max(1, Math.ceil(slotsAimed / counts.nodes)) * counts.nodes,
    };
    this.#limits = limitsOf(options, restored);
    this.#startFailures = new StartFailures(options.respawn ?? true);
    this.#whenReady = new Promise((resolve, reject) => {
      this.#ready = { resolve, reject };
    });
    // Whoever does not wait for it must not be ended by it.
    this.#whenReady.catch(() => undefined);
    const clusterId = restored?.clusterId ?? randomBytes(8).toString('hex');
    this.#spawner = new Spawner({
      entry: options.nodeEntry,
      argument: (nodeId) => this.#nodeArgument(nodeId),
      env: options.nodeEnv,
      clusterId,
      onExit: (nodeId, pid) => {
        this.#onExit(nodeId, pid);
      },
      log: options.log,
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
      clusterId,
      nodeCount: counts.nodes,
      respawn: options.respawn ?? true,
      address: { host: listener.host, port: listener.port, pid: process.pid },
      restored,
      ...(this.#settings.durability === 'none' ? {} : { timings: durableTimings }),
    });
    this.#isNew = (restored?.map ?? null) === null;
    this.#formerNodes = restored?.knownNodes ?? [];
    // Of the others a process id says nothing here: they are other hosts', or at least no children of a manager.
    for (const { id, pid, spawned } of this.#formerNodes) if (spawned && pid > 0) this.#adoptFormer(id, pid);
    this.#beginsWithout = this.#spawner.nodeIds.length === 0;
  }

  get address(): { host: string; port: number } {
    return { host: this.#listener.host, port: this.#listener.port };
  }

  /** How many nodes serve nothing: those of a stored cluster that cannot be started, and any that are off their slots (M2). */
  get missing(): number {
    const { map } = this.core;
    const ids = this.#isNew ? (map?.nodes ?? []) : this.#nodesToStart;
    return ids.filter(({ id }) => map?.node(id) === undefined || this.core.isIsolated(id)).length;
  }

  /** Fulfilled once every node serves, or every slot if some nodes of a stored cluster cannot be started, or any are off their slots. @throws Error (rejects) if the nodes cannot be started. */
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
    if (this.#beginsWithout && this.#options.respawn === false) this.#spawnMembers();
    this.#timer = new AfterPollTimer(tickMs, () => {
      this.#tick();
    });
  }

  #adoptFormer(nodeId: number, pid: number): void {
    const isAlive = this.#spawner.isAlive(pid, nodeId);
    // That it has ended is news of a member only: the core starts any other one anyway.
    if (isAlive || this.core.hasMember(nodeId)) this.#spawner.adopt(nodeId, pid, isAlive);
  }

  /** They ended before this manager, so that they are started is no respawning. */
  #spawnMembers(): void {
    for (const { id, spawned } of this.#formerNodes)
      if (spawned && this.core.map?.node(id) !== undefined) this.#spawner.spawn(id);
  }

  #ports(): ConstructorParameters<typeof ManagerCore>[0]['ports'] {
    return {
      nowMs: () => this.clock.nowMs,
      clockUs: () => this.clock.nowUs,
      random: Math.random,
      spawn: (nodeId) => {
        this.#spawner.spawn(nodeId);
      },
      watch: (nodeId, pid) => {
        this.#startFailures.onRegistered(nodeId, pid);
        return this.#spawner.watch(nodeId, pid);
      },
      persist: (state) => {
        this.#writer.write({ ...state, ...this.#limits });
      },
      log: (level, text) => {
        this.#options.log[level](text);
      },
    };
  }

  #nodeArgument(nodeId: number): NodeArgument & object {
    const { host, dataDir, hostLabel, nodeExtras } = this.#options;
    const { durability } = this.core.settings;
    const endMs =
      this.#options.endWithoutManagerMs ?? (this.#store.outlivesProcess ? undefined : orphanMsMax);
    return {
      ...nodeExtras,
      ...this.#limits,
      ...(endMs === undefined ? {} : { endWithoutManagerMs: endMs }),
      ...(dataDir === undefined || durability === 'none' ? {} : { dataDir: join(dataDir, `node-${nodeId}`) }),
      ...(hostLabel === undefined ? {} : { hostLabel }),
      manager: this.address,
      host,
      nodeId,
      clusterId: this.core.clusterId,
      frameBytesMax: frameBytesMax(this.core.settings),
      durability,
    };
  }

  #onExit(nodeId: number, pid: number): void {
    this.clock.sample();
    this.core.onProcessExit(nodeId, pid);
    // Neither one of an earlier manager, found dead now, nor one whose place another process has taken, is a failed start.
    const isFormer = pid > 0 && this.#formerNodes.some((node) => node.pid === pid);
    if (isFormer || this.#stopping !== undefined || this.core.hasMember(nodeId)) return;
    if (this.#startFailures.onEnded(nodeId, pid, this.#isReady)) this.#onFailing(nodeId);
  }

  /** It ends again and again as soon as it is started. */
  #onFailing(nodeId: number): void {
    if (this.#isHopeless) {
      this.#ready?.reject(new Error(`the nodes end as soon as they are started; their last words are above`));
      return;
    }
    const { dataDir, log, respawn = true } = this.#options;
    const where = dataDir === undefined ? 'it' : join(dataDir, `node-${nodeId}`);
    const later = respawn ? 'it is started again now and then' : `then: gtstore start-node ${nodeId}`;
    log.error(
      `node ${nodeId} ends as soon as it is started: its last words above say why, or the system's log does. The cluster goes on ` +
        `without it; mend ${where}, or move it away to have the node filled by the others; ${later}`,
    );
  }

  /** Nothing serves, and nothing will. */
  get #isHopeless(): boolean {
    if (!this.#beginsWithout || this.#isReady) return false;
    if (this.#isNew) return true;
    const { hasRegistered } = this.#startFailures;
    return !hasRegistered && this.#nodesToStart.every(({ id }) => this.#startFailures.isFailing(id));
  }

  /** Of a cluster that was stored. */
  get #nodesToStart(): readonly KnownNode[] {
    return this.#formerNodes.filter(({ spawned, drained }) => spawned && drained !== true);
  }

  opened(connection: Connection): void {
    const { peer } = connection;
    if (peer.type === MessageType.hello && peer.role === PeerRole.client) this.#clients.add(connection);
    this.core.onLinkOpen(connection);
  }

  closed(connection: Connection): void {
    this.#clients.delete(connection);
    this.core.onLinkClosed(connection);
  }

  /** The clock is ahead of where they believe it to be: they learn that with the WELCOME when they dial anew. */
  #dismissClients(): void {
    for (const connection of this.#clients) connection.close('the clock was set: dial anew');
  }

  /** The WELCOME, or why not. */
  greet(hello: HelloMessage): WelcomeMessage | ErrorMessage {
    const { clusterId } = this.core;
    if (hello.clusterId !== '' && hello.clusterId !== clusterId) {
      return newError(otherCluster, `this is the manager of cluster ${clusterId}, not of ${hello.clusterId}`);
    }
    this.clock.sample();
    return {
      type: MessageType.welcome,
      protocolVersion,
      role: PeerRole.manager,
      clusterId,
      senderId: 0,
      incarnation: 0,
      clockUs: this.core.clock.nowUs,
      frameBytesMax: frameBytesMax(this.core.settings),
    };
  }

  #tick(): void {
    this.clock.sample();
    this.core.tick();
    if (this.#isReady || !this.core.isSettled) return;
    if (this.#beginsWithout && !this.#isComplete) return;
    this.#isReady = true;
    // That it has been whole: from here on slots without disks wait (D3).
    if (this.#isNew) this.core.save();
    this.#ready?.resolve();
  }

  /** Every node has its place, or will not come before somebody has mended what is wrong with it. */
  get #isComplete(): boolean {
    const { map } = this.core;
    if (this.#isNew) return (map?.nodes.length ?? 0) >= this.counts.nodes;
    return this.#nodesToStart.every(
      ({ id }) => map?.node(id) !== undefined || this.#startFailures.isFailing(id),
    );
  }

  /** Orders the nodes to end, waits for them, kills whoever does not end, and closes. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#ready?.reject(new Error('the manager was stopped'));
    this.core.stop();
    this.#timer?.stop();
    this.#spawner.kill('SIGTERM');
    if (!(await this.#nodesEnd(endMsMax(this.core.settings.durability)))) {
      this.#options.log.warn('some nodes do not end; killing them');
      this.#spawner.kill('SIGKILL');
      await this.#nodesEnd(killedMsMax);
    }
    this.#spawner.close();
    await this.#listener.close();
    if (!(await this.#writer.close())) {
      this.#options.log.warn("the manager's disk hangs; ending without the state that is being written");
      return;
    }
    // What nodes have on disk is for the next start; a cluster that never came to be has nothing there.
    const isOver = this.core.settings.durability === 'none' || this.core.map === null;
    if (isOver) await this.#store.clear();
    await this.#unlock(isOver);
  }

  /** Ends the nodes at once, without ceremony: for a user who will not wait. */
  kill(): void {
    this.#spawner.kill('SIGKILL');
  }

  /** @returns whether all have ended within that time. */
  #nodesEnd(withinMs: number): Promise<boolean> {
    return nodesEnd({
      nodesLeft: () => this.#spawner.nodeIds,
      withinMs,
      isSaving: this.core.settings.durability !== 'none',
      log: this.#options.log,
    });
  }
}
