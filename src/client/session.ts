/**
 * The client's connections and clock around the pure core: one connection to the manager (to each of its addresses,
 * if several were given), one to every member of the map.
 */
import { channel } from 'node:diagnostics_channel';
import { randomBytes } from 'node:crypto';
import type { ClusterMap } from '../protocol/cluster-map.js';
import { GTStoreError } from '../protocol/errors.js';
import { MessageType, PeerRole } from '../protocol/messages.js';
import type { Link, Message } from '../protocol/messages.js';
import { AfterPollTimer } from '../transport/after-poll.js';
import { Connection } from '../transport/connection.js';
import { newHello } from '../transport/handshake.js';
import { MemberLinks } from '../transport/member-links.js';
import { Redialler } from '../transport/redialler.js';
import { RequestTable } from '../transport/requests.js';
import { SampledClock } from '../transport/sampled-clock.js';
import type { Address } from './arguments.js';
import type { Call } from './calls.js';
import { ClientCore } from './core/client-core.js';
import { ManagerTime } from './core/manager-time.js';
import { diagnosticsChannelNames } from './diagnostics.js';
import type { MapEvent } from './diagnostics.js';

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
/** Operations in a row that may begin by one reading of the clock. */
const begunPerReading = 15;
const managerBackoffMsMax = 500;
/** The manager's clock is known to within half of what its greeting took since it was dialled: longer, and it is dialled anew. */
const greetingMsMax = 1000;
/** On a way that is always so slow it is taken after all. */
const lateGreetingsMax = 2;
/** `init` waits for the connections to the nodes this long; operations wait for them by themselves. */
const nodesUpMsMax = 1000;

const mapChannel = channel(diagnosticsChannelNames.map);

export class Session {
  readonly core: ClientCore;
  readonly requests = new RequestTable();
  readonly #options: SessionOptions;
  readonly #listener: SessionListener;
  readonly #clock = new SampledClock();
  readonly #members: MemberLinks;
  readonly #managers: Redialler[] = [];
  readonly #down = new Set<number>();
  readonly #time = new ManagerTime(() => this.#clock.nowMs);
  /** How often this host was suspended. */
  #suspensions = 0;
  /** Greetings in a row that took long. */
  #lateGreetings = 0;
  /** Operations that have begun since the clock was read for one. */
  #begunSinceNow = 0;
  #timer: AfterPollTimer | undefined;
  #closed = false;
  /** Why the manager could not be reached last, and at each of its addresses. */
  #lastTrouble: GTStoreError | undefined;
  readonly #troubles = new Map<Address, GTStoreError>();
  /** Told of every step towards being connected. */
  #onProgress: (() => void) | undefined;

  constructor(options: SessionOptions, listener: SessionListener) {
    this.#options = options;
    this.#listener = listener;
    const { localAddress } = options;
    // 48 bits, and never 0.
    const clientId = randomBytes(6).readUIntBE(0, 6) || 1;
    this.core = new ClientCore({
      ports: this.#ports(),
      clientId,
      readFrom: options.readFrom,
      ...(options.inFlightMax === undefined ? {} : { inFlightMax: options.inFlightMax }),
    });
    this.#members = new MemberLinks({
      ...(localAddress === undefined ? {} : { localAddress }),
      hello: () =>
        newHello(PeerRole.client, { clusterId: this.core.map?.clusterId ?? '', senderId: clientId }),
      onBatchStart: () => {
        this.#sample();
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
        this.#sample();
        this.core.onRoom();
      },
    });
  }

  #ports(): ConstructorParameters<typeof ClientCore>[0]['ports'] {
    return {
      nowMs: () => this.#clock.nowMs,
      clockUs: () => this.#time.clockUs,
      random: Math.random,
      node: (nodeId): Link | undefined => this.#members.get(nodeId),
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
        (operation.context as Call<unknown>).completed(operation);
      },
    };
  }

  /**
   * Before anything is handled. While this host was suspended its monotonic clock stood still, and the manager's went on: how far
   * they are apart is told with the next greeting.
   */
  #sample(): void {
    if (!this.#clock.sample()) return;
    this.#suspensions++;
    this.#time.slept(this.#clock.aheadMs);
    for (const { connection } of this.#managers) connection?.close('this host was suspended: dial anew');
  }

  /** Milliseconds of the own clock, now; deadlines are counted on it. */
  now(): number {
    this.#sample();
    return this.#clock.nowMs;
  }

  /**
   * The same, as it was read last: with operations under way it is read every few milliseconds, and reading it anew for
   * each one that begins is a good part of what that costs. A caller that computes for long between two calls, without
   * letting the loop turn, has that time counted to both: so at most a few in a row go by one reading.
   */
  recently(): number {
    if (this.core.inFlight > 0 && this.#begunSinceNow < begunPerReading) {
      this.#begunSinceNow++;
      return this.#clock.nowMs;
    }
    this.#begunSinceNow = 0;
    return this.now();
  }

  /** Microseconds of the manager's clock, by which values end. */
  lifeClockUs(): number {
    return this.#time.lifeClockUs;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  get manager(): Connection | undefined {
    for (const { connection } of this.#managers) if (connection !== undefined) return connection;
    return undefined;
  }

  node(nodeId: number): Connection | undefined {
    return this.#members.get(nodeId);
  }

  /** Operations are under way: their deadlines are watched until there are none. */
  watch(): void {
    this.#timer ??= new AfterPollTimer(tickMs, () => {
      this.#sample();
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
    for (const address of this.#options.managers) this.#dial(address);
    return new Promise((resolve, reject) => {
      const startedAtMs = performance.now();
      const check = (): void => {
        const elapsedMs = performance.now() - startedAtMs;
        const isOver = elapsedMs >= timeoutMs || this.#isHopeless || this.#closed;
        if (!this.#isConnected(elapsedMs) && !isOver) return;
        clearInterval(timer);
        this.#onProgress = undefined;
        if (this.#isConnected(Infinity) && !this.#closed) resolve();
        else reject(this.#openError(timeoutMs));
      };
      const timer = setInterval(check, 2 * tickMs);
      this.#onProgress = check;
    });
  }

  /** Waiting does not make a manager of what answers at one address; but another address may have one. */
  get #isHopeless(): boolean {
    return this.#options.managers.every((address) => this.#troubles.get(address)?.code === 'PROTOCOL');
  }

  #noteTrouble(address: Address, error: GTStoreError): void {
    this.#troubles.set(address, error);
    this.#lastTrouble = error;
  }

  #isConnected(elapsedMs: number): boolean {
    const map = this.core.map;
    if (map === null || !this.#time.isKnown) return false;
    return elapsedMs > nodesUpMsMax || map.nodes.every((node) => this.#members.get(node.id) !== undefined);
  }

  #openError(timeoutMs: number): GTStoreError {
    const where = this.#options.managers.map(({ host, port }) => `${host}:${port}`).join(', ');
    // Of several, the one that waiting does not mend.
    const cause = [...this.#troubles.values()].find(({ code }) => code === 'PROTOCOL') ?? this.#lastTrouble;
    if (this.#closed) return new GTStoreError('CLOSED', 'the client was closed');
    if (cause !== undefined && this.#isHopeless)
      return new GTStoreError('PROTOCOL', cause.message, { cause });
    const reason =
      this.manager === undefined ? (cause?.message ?? 'no answer') : 'the cluster is still starting';
    const text = `no cluster at ${where} within ${timeoutMs} ms: ${reason}`;
    return new GTStoreError('UNAVAILABLE', text, { cause });
  }

  #dial(address: Address): void {
    const { host, port } = address;
    const { localAddress } = this.#options;
    let dialledAtMs = 0;
    let suspensions = 0;
    const redialler = new Redialler({
      host,
      port,
      ...(localAddress === undefined ? {} : { localAddress }),
      hello: () => {
        this.#sample();
        dialledAtMs = this.#clock.nowMs;
        suspensions = this.#suspensions;
        return newHello(PeerRole.client, {
          clusterId: this.core.map?.clusterId ?? '',
          senderId: this.core.clientId,
        });
      },
      backoffMsMax: managerBackoffMsMax,
      handlers: {
        onOpen: (connection) => {
          this.#managerUp(address, connection, dialledAtMs, suspensions);
        },
        onBatchStart: () => {
          this.#sample();
        },
        onMessage: (connection, message) => {
          this.#onManagerMessage(connection, message);
        },
        onClose: (_connection, reason) => {
          if (!this.#closed)
            this.#listener.trouble(new GTStoreError('UNAVAILABLE', `manager lost: ${reason.text}`));
        },
      },
      onDialFailed: (error) => {
        this.#noteTrouble(address, error);
        if (error.code === 'PROTOCOL' && this.core.map !== null) this.#listener.trouble(error);
        this.#onProgress?.();
      },
    });
    this.#managers.push(redialler);
  }

  #managerUp(address: Address, connection: Connection, dialledAtMs: number, suspensionsBefore: number): void {
    this.#sample();
    const wasSuspended = this.#suspensions !== suspensionsBefore;
    const { peer } = connection;
    if (peer.type !== MessageType.welcome || peer.role !== PeerRole.manager) {
      const text = `${connection.remote} is a node; give the manager's address`;
      this.#noteTrouble(address, new GTStoreError('PROTOCOL', text));
      connection.close('not a manager');
      return;
    }
    this.#troubles.delete(address);
    const ageMsMax = this.#clock.nowMs - dialledAtMs;
    const isLate = wasSuspended || (ageMsMax > greetingMsMax && this.#lateGreetings < lateGreetingsMax);
    if (isLate) {
      this.#lateGreetings++;
      connection.close("its greeting may be too old to tell the manager's clock: dial anew");
      return;
    }
    // Where the way always takes so long, it is not to be dialled three times with every connection.
    if (ageMsMax <= greetingMsMax) this.#lateGreetings = 0;
    this.#time.greeted(peer.clockUs, ageMsMax);
    const newerThan = this.core.map?.epoch ?? 0;
    connection.send({ type: MessageType.getMap, rid: 0, newerThan });
  }

  #onManagerMessage(connection: Connection, message: Message): void {
    if (!this.requests.settle(connection, message)) this.core.onManagerMessage(message);
  }

  #mapAdopted(map: ClusterMap, previous: ClusterMap | null): void {
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
    this.#sample();
    if (this.#down.delete(nodeId)) this.#listener.nodeUp(nodeId);
    this.core.onNodeUp(nodeId);
    this.#onProgress?.();
  }

  #nodeDown(nodeId: number): void {
    this.#sample();
    this.core.onNodeDown(nodeId);
    this.#noteDown(nodeId);
  }

  #noteDown(nodeId: number): void {
    if (this.#down.has(nodeId)) return;
    this.#down.add(nodeId);
    this.#listener.nodeDown(nodeId);
  }

  // --- requests now and then ---------------------------------------------------------------------------------------

  /** @throws GTStoreError (rejects) UNAVAILABLE if the manager is away, TIMEOUT; for a write see `RequestTable` */
  askManager(build: (rid: number) => Message, timeoutMs: number, isWrite = false): Promise<Message> {
    const manager = this.manager;
    if (manager === undefined) {
      return Promise.reject(
        new GTStoreError('UNAVAILABLE', 'the manager is away; reads and writes go on without it'),
      );
    }
    return this.requests.request(manager, build, timeoutMs, { isWrite });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.stop();
    this.#timer = undefined;
    this.#onProgress?.();
    this.core.close();
    this.requests.close();
    for (const manager of this.#managers) manager.stop();
    this.#members.stop();
  }
}
