/**
 * A cluster of real processes for tests: they can be killed, paused and started again while clients use them.
 *
 * No process stays behind: `stop` ends all of them in whatever state they are; when this process ends without it, an
 * exit hook kills them; and when it is killed itself, the manager sees its stdin closed and ends the nodes. The temporary
 * folder goes with `stop` and with the exit hook; Node runs no such hook in a process that a signal ends, SIGKILL or a
 * SIGINT or SIGTERM that nobody handles, and then the folder stays.
 */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GTStoreClient } from '../client/index.js';
import type { ClusterStatus, NodeStatus } from '../protocol/status.js';
import {
  type ClusterOptions,
  nodeArgument,
  nodesDefault,
  startArguments,
  startTimeoutMsDefault,
} from './options.js';
import { LogText, ManagerProcess, nodeEntry, startNodeProcess } from './manager-process.js';
import { childrenOf, hasArgument, isPaused, isRunning, sendSignal, until, withinMs } from './processes.js';

/** For what should take no time; generous, since test machines are busy. */
const signalMsMax = 10_000;
/** A node's next life: noticed, forked, filled. */
const restartMsMax = 30_000;
/** A test does not wait for a slow disk as long as the manager would. */
const stopMsMax = 10_000;
const statusMsMax = 2_000;
const statusPollMs = 20;

/** Clusters of this process that have not been stopped. */
const liveClusters = new Set<TestCluster>();
process.on('exit', () => {
  for (const cluster of liveClusters) cluster.abandon();
});

/**
 * Starts a manager and its nodes on free ports of this machine, and waits until every node serves.
 *
 * @example
 * await using cluster = await startCluster({ nodes: 7, replicas: 3 });
 * const store = new GTStoreClient({ manager: cluster.url });
 *
 * @throws Error (rejects) with the cluster's logs if it does not come up
 */
export async function startCluster(options: ClusterOptions = {}): Promise<TestCluster> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'gtstore-test-')));
  const cluster = new TestCluster(options, dataDir);
  try {
    await cluster.restartManager();
    return cluster;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

/** A running cluster; see `startCluster`. */
export class TestCluster {
  /** Where manager and nodes keep what they store: node 0 in `node-0`, and so on. */
  readonly dataDir: string;
  readonly #options: ClusterOptions;
  readonly #logs: LogText;
  /** Known once it has been ready. */
  #url = '';
  #manager: ManagerProcess | undefined;
  /** Nodes that an earlier one forked write to its output for as long as they live. */
  readonly #formerManagers: ManagerProcess[] = [];
  #isManagerPaused = false;
  #client: Promise<GTStoreClient> | undefined;
  #nodes: readonly NodeStatus[] = [];
  /** Of nodes, as far as they were ever seen. */
  readonly #pids = new Set<number>();
  #stopping: Promise<void> | undefined;

  /** @internal */
  constructor(options: ClusterOptions, dataDir: string) {
    this.#options = options;
    this.dataDir = dataDir;
    this.#logs = new LogText(options.showLogs ?? false);
    liveClusters.add(this);
  }

  /** The manager's address, for `new GTStoreClient({ manager: cluster.url })`. It survives `restartManager`. */
  get url(): string {
    return this.#url;
  }

  /** The nodes as they were last seen: at start, at `status()`, and after each action here. */
  get nodes(): readonly NodeStatus[] {
    return this.#nodes;
  }

  /** What manager and nodes wrote, through all restarts and up to `stop`, for the message of a test that failed. */
  get logs(): string {
    return this.#logs.text;
  }

  /** The cluster as the manager sees it now. @throws Error (rejects) if the manager does not answer */
  async status(): Promise<ClusterStatus> {
    const status = await withinMs(
      `an answer of the manager at ${this.url}`,
      statusMsMax,
      this.#connected().then((client) => client.status()),
    );
    this.#nodes = status.nodes;
    for (const { pid } of status.nodes) if (pid > 0) this.#pids.add(pid);
    return status;
  }

  /** Waits until all nodes are up and every slot has all its replicas. Default time-out 30 s. */
  async untilHealthy(timeoutMs = restartMsMax): Promise<ClusterStatus> {
    const { nodes = nodesDefault } = this.#options;
    // The manager may not have noticed yet that a process is gone; and nodes that joined on top need not come back.
    const isWell = ({ id, state, pid }: NodeStatus): boolean =>
      state === 'up' ? isRunning(pid) : state === 'down' && id >= nodes;
    return this.#untilStatus(
      'all nodes up, nothing under-replicated',
      timeoutMs,
      (status) => status.epoch > 0 && status.underReplicatedSlots === 0 && status.nodes.every(isWell),
    );
  }

  /** Ends a node with SIGKILL; fulfilled when its process is gone. */
  async kill(id: number): Promise<void> {
    const { pid } = await this.#running(id);
    await this.#end(pid);
    await this.#refresh();
  }

  /** Ends several nodes at one moment with SIGKILL, by default all; fulfilled when their processes are gone. */
  async killNodes(ids?: readonly number[]): Promise<void> {
    await this.#refresh();
    const chosen = this.#nodes.filter(({ id, pid }) => isRunning(pid) && (ids?.includes(id) ?? true));
    await this.#endAll(chosen.map(({ pid }) => pid));
    await this.#refresh();
  }

  /**
   * Ends manager and nodes at one moment with SIGKILL, as when the host is reset; fulfilled when all are gone.
   * `restartManager` starts them again; with `durability` they come back with what they have on disk, without it is another cluster, for
   * which clients are to be made anew.
   */
  async killAll(): Promise<void> {
    await this.#refresh();
    this.#isManagerPaused = false;
    const children = this.#killManager();
    await this.#endAll([...new Set([...children, ...this.#livingNodes()])]);
    await this.#manager?.ended;
    await this.#closeClient();
  }

  /** Stops a node in its tracks (SIGSTOP), as a machine that hangs. */
  async pause(id: number): Promise<void> {
    const { pid } = await this.#running(id);
    sendSignal(pid, 'SIGSTOP');
    await until(`node ${id} is paused`, signalMsMax, () => isPaused(pid));
  }

  /** Lets a paused node go on. */
  async resume(id: number): Promise<void> {
    // As it was when it was paused: the manager may have written it off meanwhile.
    const { pid } = await this.#running(id);
    sendSignal(pid, 'SIGCONT');
    await this.#refresh();
  }

  /**
   * Ends a node with SIGKILL, if it runs, and waits until its next life is up: filled and serving. In a cluster with
   * `respawn: false` that is how a node is started again. Default time-out 30 s.
   */
  async restart(id: number, timeoutMs = restartMsMax): Promise<void> {
    const isRespawned = this.#options.respawn !== false;
    const { clusterId, nodes } = await this.status();
    const before = nodes.find((node) => node.id === id);
    if (before === undefined) throw new Error(`there is no node ${id}`);
    if (isRunning(before.pid)) await this.#end(before.pid);
    if (!isRespawned) this.#startNode(id, clusterId);
    await this.#untilStatus(`node ${id} is up again`, timeoutMs, (now) => {
      const node = now.nodes.find((each) => each.id === id);
      return node?.state === 'up' && node.incarnation > before.incarnation;
    });
  }

  /** Ends the manager with SIGKILL. The nodes serve on. */
  async killManager(): Promise<void> {
    // Whom to look after in `stop`: from now on nobody tells.
    await this.#refresh();
    this.#isManagerPaused = false;
    await this.#closeClient();
    this.#killManager();
    await this.#manager?.ended;
  }

  /** Starts the manager again, on the same port with the same state; ends it first if it still runs. */
  async restartManager(): Promise<void> {
    if (this.#stopping !== undefined) throw new Error('the cluster has been stopped');
    if (this.#manager?.isRunning === true) await this.killManager();
    if (this.#manager !== undefined) this.#formerManagers.push(this.#manager);
    // The first time any, then always the same.
    const port = this.#url === '' ? 0 : Number(new URL(this.#url).port);
    const env = { ...process.env, ...this.#options.env };
    const manager = new ManagerProcess(startArguments(this.#options, this.dataDir, port), env, this.#logs);
    this.#manager = manager;
    const { startTimeoutMs = startTimeoutMsDefault } = this.#options;
    this.#url = await withinMs('ready', startTimeoutMs, manager.whenReady()).catch((error: unknown) => {
      throw new Error(`the cluster did not start: ${String(error)}\n${this.logs}`, { cause: error });
    });
    await this.status();
  }

  /** Stops the manager in its tracks (SIGSTOP). */
  async pauseManager(): Promise<void> {
    await this.#refresh();
    const { pid } = this.#runningManager();
    sendSignal(pid, 'SIGSTOP');
    await until('the manager is paused', signalMsMax, () => isPaused(pid));
    this.#isManagerPaused = true;
  }

  /** Lets a paused manager go on. */
  async resumeManager(): Promise<void> {
    sendSignal(this.#runningManager().pid, 'SIGCONT');
    this.#isManagerPaused = false;
    await this.#untilStatus('the manager answers', signalMsMax, () => true);
  }

  /** Ends everything, whatever state it is in. May be called again. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** @internal For when there is no time left. */
  abandon(): void {
    for (const pid of [...this.#killManager(), ...this.#livingNodes()]) sendSignal(pid, 'SIGKILL');
    if (this.#options.dataDir === undefined) rmSync(this.dataDir, { recursive: true, force: true });
  }

  async #stop(): Promise<void> {
    await this.#closeClient();
    for (const pid of this.#livingNodes()) sendSignal(pid, 'SIGCONT');
    const manager = this.#manager;
    manager?.signal('SIGCONT');
    manager?.signal('SIGTERM');
    if (manager !== undefined) {
      await withinMs('the end of the manager', stopMsMax, manager.ended).catch(() => undefined);
      manager.signal('SIGKILL');
      await manager.ended;
    }
    // In good order none is left; but the manager may have been killed.
    await this.#endAll(this.#livingNodes());
    for (const each of this.#formerManagers) each.closeOutput();
    manager?.closeOutput();
    liveClusters.delete(this);
    if (this.#options.dataDir === undefined) await rm(this.dataDir, { recursive: true, force: true });
  }

  /**
   * Without a turn of the loop between the look and the signal: of whom it forks in between nobody here would know.
   * @returns whom it had forked; the last may not be known as a node yet by what it was started with
   */
  #killManager(): readonly number[] {
    if (this.#manager?.isRunning !== true) return [];
    const children = childrenOf(this.#manager.pid);
    for (const pid of children) this.#pids.add(pid);
    this.#manager.signal('SIGKILL');
    return children;
  }

  #runningManager(): ManagerProcess {
    if (this.#manager?.isRunning !== true) throw new Error('the manager does not run');
    return this.#manager;
  }

  /** A node that has a process. */
  async #running(id: number): Promise<NodeStatus> {
    await this.#refresh();
    const node = this.#nodes.find((each) => each.id === id);
    if (node !== undefined && isRunning(node.pid)) return node;
    const ids = this.#nodes.filter(({ pid }) => isRunning(pid)).map((each) => each.id);
    throw new Error(`node ${id} does not run; those that do: ${ids.join(', ')}`);
  }

  /** Brings `nodes` up to date if there is a manager to ask. */
  async #refresh(): Promise<void> {
    if (this.#manager?.isRunning !== true || this.#isManagerPaused) return;
    await this.status().catch(() => undefined);
  }

  async #untilStatus(
    what: string,
    timeoutMs: number,
    condition: (status: ClusterStatus) => boolean,
  ): Promise<ClusterStatus> {
    let last: ClusterStatus | undefined;
    try {
      const look = async (): Promise<ClusterStatus | undefined> => {
        last = await this.status().catch(() => undefined);
        return last !== undefined && condition(last) ? last : undefined;
      };
      return await until(what, timeoutMs, look, statusPollMs);
    } catch (error) {
      throw new Error(`${String(error)}; last status: ${JSON.stringify(last)}`, { cause: error });
    }
  }

  async #end(pid: number): Promise<void> {
    sendSignal(pid, 'SIGKILL');
    await until(`process ${pid} is gone`, signalMsMax, () => !isRunning(pid));
    this.#pids.delete(pid);
  }

  async #endAll(pids: readonly number[]): Promise<void> {
    for (const pid of pids) sendSignal(pid, 'SIGKILL');
    await Promise.all(pids.map((pid) => this.#end(pid)));
  }

  #startNode(id: number, clusterId: string): void {
    const argument = nodeArgument(this.#options, this.dataDir, id, clusterId, new URL(this.#url));
    const pid = startNodeProcess(argument, { ...process.env, ...this.#options.env }, this.#logs);
    if (pid !== undefined) this.#pids.add(pid);
  }

  /** Ids are used again by the system: only processes that are nodes. */
  #livingNodes(): number[] {
    return [...this.#pids].filter((pid) => isRunning(pid) && hasArgument(pid, nodeEntry));
  }

  /** The client for status requests; a new one after each trouble. */
  #connected(): Promise<GTStoreClient> {
    const client = (this.#client ??= connect(this.#url));
    client.catch(() => {
      if (this.#client === client) this.#client = undefined;
    });
    return client;
  }

  async #closeClient(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.then(
      (open) => open.finalize(),
      () => undefined,
    );
  }
}

async function connect(manager: string): Promise<GTStoreClient> {
  const client = new GTStoreClient({ manager });
  client.on('error', () => undefined);
  try {
    await client.init();
    return client;
  } catch (error) {
    await client.finalize();
    throw error;
  }
}
