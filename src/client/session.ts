/**
 * The client's connections and clock around the pure core: one connection to the manager (to each of its addresses,
 * if several were given), one to every member of the map.
 */
import { channel } from 'node:diagnostics_channel';
import { randomBytes } from 'node:crypto';
import { formatAddress } from '../protocol/address.js';
import type { ClusterMap } from '../protocol/cluster-map.js';
import { GTStoreError } from '../protocol/errors.js';
import { MessageType, PeerRole } from '../protocol/messages.js';
import type { HelloMessage, Link, Message } from '../protocol/messages.js';
import { AfterPollTimer } from '../transport/after-poll.js';
import { Connection } from '../transport/connection.js';
import { newHello } from '../transport/handshake.js';
import { MemberLinks } from '../transport/member-links.js';
import { clearInterval, monotonicMs, pause, setInterval } from '../transport/real-time.js';
import { RequestTable } from '../transport/requests.js';
import type { Address } from './arguments.js';
import { BusyPoll } from './busy-poll.js';
import { strangerError } from './calls.js';
import type { Call } from './calls.js';
import { ClientCore } from './core/client-core.js';
import type { Operation } from './core/operation.js';
import { diagnosticsChannelNames } from './diagnostics.js';
import type { MapEvent } from './diagnostics.js';
import { closedError } from './deadline.js';
import { LearntClock } from './learnt-clock.js';
import { ManagerLinks } from './manager-links.js';
import { NodeClocks } from './node-clocks.js';

export interface SessionOptions {
  readonly managers: readonly Address[];
  readonly readFrom: 'primary' | 'any';
  readonly localAddress: string | undefined;
  readonly inFlightMax: number | undefined;
}

export interface SessionListener {
  mapAdopted(map: ClusterMap): void;
  nodeDown(nodeId: number): void;
  nodeUp(nodeId: number): void;
  trouble(error: GTStoreError): void;
}

/** How often deadlines and retries are looked at while operations are under way. */
const tickMs = 5;
/** What is begun, and its version, may be dated back by so much: no more than a tick. */
const sampleMsMax = tickMs;
/** A request to the manager waits this long for a connection that this side has ended. */
const redialMsMax = 1000;
/** `init` waits for the connections to the nodes this long; operations wait for them by themselves. */
const nodesUpMsMax = 1000;

const mapChannel = channel(diagnosticsChannelNames.map);

export class Session {
  readonly core: ClientCore;
  readonly requests = new RequestTable();
  readonly #options: SessionOptions;
  readonly #listener: SessionListener;
  readonly #clock: LearntClock;
  readonly #members: MemberLinks;
  readonly #managers: ManagerLinks;
  readonly #nodeClocks: NodeClocks;
  readonly #busyPoll = new BusyPoll();
  readonly #down = new Set<number>();
  #timer: AfterPollTimer | undefined;
  /** With every call it is asked for, and that of a signal takes long. */
  #isClosed = false;
  readonly #closing = new AbortController();
  /** Told of every step towards being connected. */
  #onProgress: (() => void) | undefined;

  /** Why what answers at the addresses of all managers is no manager of this cluster: most likely another one has been started there. */
  #stranger: GTStoreError | undefined;

  constructor(options: SessionOptions, listener: SessionListener) {
    this.#options = options;
    this.#listener = listener;
    const { localAddress } = options;
    const hello = (): HelloMessage => this.#hello();
    const map = (): ClusterMap | null => this.core.map;
    // 48 bits, and never 0.
    const clientId = randomBytes(6).readUIntBE(0, 6) || 1;
    this.#clock = new LearntClock({
      suspended: (ms) => {
        this.#suspended(ms);
      },
      learnt: () => {
        this.core.hostSleep.clockLearnt();
      },
      stale: () => {
        void this.#nodeClocks.refresh(options.managers);
      },
    });
    this.core = new ClientCore({
      ports: this.#ports(),
      clientId,
      readFrom: options.readFrom,
      ...(options.inFlightMax === undefined ? {} : { inFlightMax: options.inFlightMax }),
    });
    this.#members = new MemberLinks({
      ...(localAddress === undefined ? {} : { localAddress }),
      hello,
      onBatchStart: () => {
        this.#clock.sample();
      },
      onMessage: (nodeId, connection, message) => {
        if (!this.requests.settle(connection, message)) this.core.onNodeMessage(nodeId, message);
      },
      onUp: (nodeId) => {
        this.#nodeUp(nodeId);
      },
      onDown: (nodeId) => {
        this.#nodeDown(nodeId);
      },
      onRoom: () => {
        this.#clock.sample();
        this.core.onRoom();
      },
    });
    this.#managers = new ManagerLinks({
      addresses: options.managers,
      localAddress,
      clock: this.#clock,
      hello,
      clusterId: () => this.core.map?.clusterId,
      onUp: (connection) => {
        this.#stranger = undefined;
        connection.send({ type: MessageType.getMap, rid: 0, newerThan: this.core.map?.epoch ?? 0 });
      },
      onMessage: (connection, message) => {
        if (!this.requests.settle(connection, message)) this.core.onManagerMessage(message);
      },
      onTrouble: (error) => {
        this.#noteStranger();
        listener.trouble(error);
      },
      onDialFailed: () => {
        this.#noteStranger();
        this.#onProgress?.();
      },
    });
    this.#nodeClocks = new NodeClocks({ clock: this.#clock, map, hello, localAddress });
  }

  #noteStranger(): void {
    const { isHopeless, connection, trouble } = this.#managers;
    this.#stranger = isHopeless && connection === undefined && this.core.map !== null ? trouble : undefined;
  }

  #hello(): HelloMessage {
    const { map, clientId } = this.core;
    return newHello(PeerRole.client, { clusterId: map?.clusterId ?? '', senderId: clientId });
  }

  #ports(): ConstructorParameters<typeof ClientCore>[0]['ports'] {
    return {
      nowMs: () => this.#clock.nowMs,
      clockUs: () => this.#clock.clockUs,
      random: Math.random,
      node: (nodeId): Link | undefined => this.#members.get(nodeId),
      bytesFrom: (nodeId) => this.#members.get(nodeId)?.bytesReceived ?? 0,
      manager: (): Link | undefined => this.manager,
      broadcast: (links, message, isAlone) => {
        // `node` above gives out connections, and the core passes on what it got there.
        // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- see above
        Connection.broadcast(message, links as readonly Connection[], isAlone);
      },
      mapAdopted: (map, previous) => {
        this.#mapAdopted(map, previous);
      },
      completed: (operation) => {
        this.#busyPoll.ended(operation, this.#clock.nowMs);
        (operation.context as Call<unknown>).completed(operation);
      },
    };
  }

  /**
   * How far the cluster's clock has gone on meanwhile is told with the manager's next greeting; by nodes, should he be away: the
   * manager is not on the path.
   */
  #suspended(ms: number): void {
    if (!this.#clock.isDoubtful) return;
    this.core.hostSleep.suspended(ms);
    this.#managers.dialAnew();
    void this.#nodeClocks.ask();
  }

  /** Milliseconds of the own clock, now; deadlines are counted on it. */
  now(): number {
    this.#clock.sample();
    return this.#clock.nowMs;
  }

  /**
   * The same, for an operation that begins with its client's usual deadline. That deadline is counted from here, however long
   * the caller has computed since the last event. With operations under way the wall clock, the other half of what a sample
   * costs, is looked at every few milliseconds all the same.
   */
  nowOfBeginning(): number {
    if (this.core.inFlight === 0) return this.now();
    const nowMs = monotonicMs();
    return nowMs - this.#clock.nowMs > sampleMsMax ? this.now() : nowMs;
  }

  /** Microseconds of the manager's clock, by which values end. */
  lifeClockUs(): number {
    return this.#clock.lifeClockUs;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Aborted when it is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  get manager(): Connection | undefined {
    return this.#managers.connection;
  }

  node(nodeId: number): Connection | undefined {
    return this.#members.get(nodeId);
  }

  /** This operation, perhaps among others, is under way: their deadlines are watched until there are none. */
  watch(operation: Operation, call: Call<unknown>): void {
    if (this.#stranger !== undefined) call.stranger = this.#stranger;
    if (this.core.inFlight === 1) this.#busyPoll.began(operation, this.#clock.nowMs);
    else this.#busyPoll.stop();
    this.#timer ??= new AfterPollTimer(tickMs, () => {
      this.#clock.sample();
      this.core.tick();
      if (this.core.inFlight > 0) return;
      this.#timer?.stop();
      this.#timer = undefined;
    });
  }

  // --- connecting --------------------------------------------------------------------------------------------------

  /**
   * Fulfilled when map and clock are known and the nodes are connected, or have had time to be.
   * @throws GTStoreError (rejects) UNAVAILABLE, PROTOCOL, CLOSED
   */
  open(timeoutMs: number): Promise<void> {
    this.#managers.dial();
    return new Promise((resolve, reject) => {
      const startedAtMs = monotonicMs();
      const check = (): void => {
        const elapsedMs = monotonicMs() - startedAtMs;
        const isOver = elapsedMs >= timeoutMs || this.#managers.isHopeless || this.isClosed;
        if (!this.#isConnected(elapsedMs) && !isOver) return;
        clearInterval(timer);
        this.#onProgress = undefined;
        if (this.#isConnected(Infinity) && !this.isClosed) resolve();
        else reject(this.#openError(timeoutMs));
      };
      const timer = setInterval(check, 2 * tickMs);
      this.#onProgress = check;
    });
  }

  #isConnected(elapsedMs: number): boolean {
    const map = this.core.map;
    if (map === null || !this.#clock.isKnown) return false;
    return elapsedMs > nodesUpMsMax || map.nodes.every((node) => this.#members.get(node.id) !== undefined);
  }

  #openError(timeoutMs: number): GTStoreError {
    const where = this.#options.managers.map(formatAddress).join(', ');
    const cause = this.#managers.trouble;
    if (this.isClosed) return closedError();
    if (cause !== undefined && this.#managers.isHopeless)
      return new GTStoreError('PROTOCOL', cause.message, { cause });
    const reason =
      this.manager === undefined ? (cause?.message ?? 'no answer') : 'the cluster is still starting';
    const text = `no cluster at ${where} within ${timeoutMs} ms: ${reason}`;
    return new GTStoreError('UNAVAILABLE', text, { cause });
  }

  #mapAdopted(map: ClusterMap, previous: ClusterMap | null): void {
    if (previous === null) this.#managers.belongTo(map.clusterId);
    this.#members.follow(map.nodes);
    for (const { id } of previous?.nodes ?? []) if (map.node(id) === undefined) this.#noteDown(id);
    if (mapChannel.hasSubscribers) {
      const event: MapEvent = { epoch: map.epoch, previousEpoch: previous?.epoch ?? 0 };
      mapChannel.publish(event);
    }
    this.#listener.mapAdopted(map);
    this.#onProgress?.();
  }

  #nodeUp(nodeId: number): void {
    this.#clock.sample();
    if (this.#down.delete(nodeId)) this.#listener.nodeUp(nodeId);
    this.core.onNodeUp(nodeId);
    this.#onProgress?.();
  }

  #nodeDown(nodeId: number): void {
    this.#clock.sample();
    this.core.onNodeDown(nodeId);
    this.#noteDown(nodeId);
  }

  #noteDown(nodeId: number): void {
    if (this.#down.has(nodeId)) return;
    this.#down.add(nodeId);
    this.#listener.nodeDown(nodeId);
  }

  // --- requests now and then ---------------------------------------------------------------------------------------

  /**
   * What only asks is asked again where this side itself has dialled the manager anew.
   * @throws GTStoreError (rejects) UNAVAILABLE if the manager is away, TIMEOUT, CLOSED; for a write see `RequestTable`
   */
  async askManager(build: (rid: number) => Message, timeoutMs: number, isWrite = false): Promise<Message> {
    const untilMs = monotonicMs() + timeoutMs;
    // Of what changes something only what was not sent is tried again.
    const notSent = { outcome: 'not-applied' } as const;
    for (let attempt = 0; ; attempt++) {
      if (this.#clock.isDoubtful) await this.#untilManager(untilMs);
      const { manager } = this;
      if (this.isClosed) throw closedError();
      if (manager === undefined) {
        if (this.#stranger !== undefined) throw strangerError(this.#stranger, 'not-applied');
        const text = 'the manager is away; reads and writes go on without it';
        throw new GTStoreError('UNAVAILABLE', text, isWrite || attempt === 0 ? notSent : {});
      }
      try {
        return await this.requests.request(manager, build, untilMs - monotonicMs(), { isWrite });
      } catch (cause) {
        if (!(cause instanceof GTStoreError) || cause.code !== 'CLOSED' || this.closing.aborted) throw cause;
        const { message, outcome } = cause;
        if (outcome === 'unknown') throw new GTStoreError('UNAVAILABLE', message, { cause, outcome });
        await this.#untilManager(untilMs);
      }
    }
  }

  /** It is being dialled anew, which takes some milliseconds if it is there. */
  async #untilManager(untilMs: number): Promise<void> {
    const giveUpAtMs = Math.min(untilMs, monotonicMs() + redialMsMax);
    while (this.manager === undefined && !this.isClosed && monotonicMs() < giveUpAtMs) await pause(tickMs);
  }

  close(): void {
    this.#isClosed = true;
    this.#closing.abort();
    this.#timer?.stop();
    this.#timer = undefined;
    this.#busyPoll.stop();
    this.#onProgress?.();
    this.core.close();
    this.requests.close();
    this.#managers.stop();
    this.#nodeClocks.stop();
    this.#members.stop();
  }
}
