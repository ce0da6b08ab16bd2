/**
 * A storage node as a process sees it: sockets, a timer and a clock around the pure core. It listens for clients and
 * fellow nodes, dials the manager and every other member, and hands each message to the core.
 */
import type { ClusterMap } from '../protocol/cluster-map.js';
import type { GTStoreError } from '../protocol/errors.js';
import type { Logger } from '../protocol/logger.js';
import { MessageType, PeerRole, protocolVersion } from '../protocol/messages.js';
import type { ErrorMessage, HelloMessage, Link, Message, WelcomeMessage } from '../protocol/messages.js';
import { defaultSettings, frameBytesMax } from '../protocol/settings.js';
import type { Durability } from '../protocol/settings.js';
import type { Connection } from '../transport/connection.js';
import { AfterPollTimer } from '../transport/after-poll.js';
import { OtherClusterError } from '../transport/close-reason.js';
import type { CloseReason } from '../transport/close-reason.js';
import { newError, newHello } from '../transport/handshake.js';
import { listen } from '../transport/listener.js';
import type { Listener } from '../transport/listener.js';
import { MemberLinks } from '../transport/member-links.js';
import { Redialler } from '../transport/redialler.js';
import { SampledClock } from '../transport/sampled-clock.js';
import { Role } from './core/membership.js';
import { NodeCore } from './core/node-core.js';
import { busyTickMs, calmTickMs } from './core/ports.js';
import type { KeyStore } from './core/store.js';
import { NodeDisk } from './node-disk.js';
import { rehearse } from './rehearsal.js';
import { ArenaStore } from './storage/arena-store.js';
import { FreeMemory } from './storage/memory/free-memory.js';
import { HeldMemory } from './storage/memory/held-memory.js';

const managerBackoffMsMax = 250;

export interface NodeOptions {
  readonly manager: { readonly host: string; readonly port: number };
  /** Address to listen on, and to dial from. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Where others reach this node; default: where it listens. */
  readonly advertise?: { readonly host: string; readonly port: number };
  /** The id the manager forked it with; undefined: the manager assigns one. */
  readonly nodeId?: number;
  /** Nodes with the same label share a fate, as those of one host do. */
  readonly hostLabel?: string;
  /** Its own, where it keeps what it stores; default: in memory only. */
  readonly dataDir?: string;
  /** The cluster's, as far as known; default: learnt with the first map. */
  readonly durability?: Durability;
  /** The cluster it is meant for; default: any. */
  readonly clusterId?: string;
  /** Most memory to hold for keys, values and their index; default: what the system has, less a reserve. */
  readonly memoryBytesMax?: number;
  /** Largest frame accepted; default: enough for the default limits of keys and values. */
  readonly frameBytesMax?: number;
  /** Ends by itself when the manager has been away for this long; default: never. */
  readonly endWithoutManagerMs?: number;
  readonly log: Logger;
}

/** What may wait for all clients together that read slowly, and as much of those that send slowly. */
const clientsBytesMax = 256 * 1024 * 1024;
/** The same while the machine has little memory left: each of its nodes takes that much out of the reserve. */
const clientsBytesMaxWhileLow = 32 * 1024 * 1024;
const warnEveryMs = 10_000;

/** Listens, and begins to join the cluster. @throws ListenError if the address cannot be had. */
export async function startNode(options: NodeOptions): Promise<NodeServer> {
  const { fault } = await rehearse((part) => new NodeServer(part));
  if (fault !== null) options.log.debug(`not rehearsed: ${fault}`);
  const server = new NodeServer(options);
  await server.start();
  return server;
}

export class NodeServer {
  /** Fulfilled with the reason when the node has ended: stopped, or ordered to. */
  readonly ended: Promise<string>;
  readonly #options: NodeOptions;
  readonly #clock = new SampledClock();
  readonly #members: MemberLinks;
  readonly #memory: FreeMemory;
  #core: NodeCore | undefined;
  #disk: NodeDisk | undefined;
  #listener: Listener | undefined;
  #manager: Redialler | undefined;
  #managerLink: Connection | undefined;
  #managerLostAtMs = 0;
  #fault: string | null = null;
  /** And has said so. */
  #hasMetStranger = false;
  #timer: AfterPollTimer | undefined;
  #isCalm = false;
  /** Of a client that reads, or sends, too slowly. */
  #warnedAtMs = -Infinity;
  #stopping: Promise<void> | undefined;
  #resolveEnded: (reason: string) => void = () => undefined;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.#memory = new FreeMemory(options.log);
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#members = new MemberLinks({
      ...this.#dialFrom,
      hello: () => this.#hello(),
      onBatchStart: () => {
        this.#sample();
      },
      onMessage: (nodeId, _connection, message) => {
        this.#core?.onPeerMessage(nodeId, message);
        this.#hurryIfBusy();
      },
      onUp: () => undefined,
      onDown: (nodeId) => {
        this.#sample();
        this.#core?.onPeerDown(nodeId);
      },
    });
  }

  /** Why the manager refused it, or its disk failed it: it goes on from 'this node'; null: neither. */
  get fault(): string | null {
    return this.#fault;
  }

  get address(): { host: string; port: number } {
    if (this.#listener === undefined) throw new Error('the node is not listening');
    return { host: this.#listener.host, port: this.#listener.port };
  }

  /** Behind another address, the one it listens on may lead to nobody: then the system chooses, except within this host. */
  get #dialFrom(): { localAddress?: string } {
    const { host, advertise } = this.#options;
    const isHere = advertise === undefined || (isLoopback(host) && isLoopback(advertise.host));
    return isHere ? { localAddress: host } : {};
  }

  async start(): Promise<void> {
    const { host, port, advertise, hostLabel, memoryBytesMax: bytesMax, log } = this.#options;
    const store = new ArenaStore({ held: new HeldMemory({ bytesMax, system: this.#memory, log }) });
    this.#disk = await this.#openDisk(store);
    const nodeId = this.#options.nodeId ?? this.#disk?.nodeId;
    this.#listener = await listen({
      host,
      port,
      onHello: (hello) => this.#greet(hello),
      onRefused: (remote, reason) => {
        this.#options.log.debug(`${remote} was turned away: ${reason.text}`);
      },
      roomForClients: (bytes, grownBytes) => this.#roomForClients(bytes, grownBytes),
      handlers: {
        onBatchStart: () => {
          this.#sample();
          this.#hurryIfBusy();
        },
        frameTaker: () => this.#core?.replica.plain,
        onMessage: (connection, message) => {
          this.#core?.onRequest(connection, message);
          this.#hurryIfBusy();
        },
        onClose: (connection, reason) => {
          if (reason.code !== 'ended') this.#logClosed(reason);
          this.#core?.onLinkClosed(connection);
        },
      },
    });
    const address = { ...(advertise ?? this.address), pid: process.pid, hostLabel: hostLabel ?? '' };
    const identity = nodeId === undefined ? {} : { nodeId };
    const journal = this.#disk === undefined ? {} : { journal: this.#disk.journal };
    this.#core = new NodeCore({ ports: this.#ports(), store, ...journal, address, ...identity });
    await this.#disk?.load(this.#core, () => this.#clock.nowMs);
    this.#dialManager(this.#core);
    this.#tickEvery(busyTickMs);
  }

  /** Not a warning for each that is cut off: of hostile ones there may be many. */
  #logClosed({ code, text }: CloseReason): void {
    const { nowMs } = this.#clock;
    const isNews = code === 'overflow' && nowMs - this.#warnedAtMs >= warnEveryMs;
    if (isNews) this.#warnedAtMs = nowMs;
    this.#options.log[isNews ? 'warn' : 'debug'](`connection closed: ${text}`);
  }

  /** It is memory, too, that other nodes of the machine do not have then. */
  #roomForClients(bytes: number, grownBytes: number): number {
    if (bytes <= clientsBytesMaxWhileLow) return clientsBytesMaxWhileLow;
    this.#memory.onTaken(grownBytes);
    return this.#memory.isLow ? clientsBytesMaxWhileLow : clientsBytesMax;
  }

  /** undefined: it keeps nothing beyond the process. */
  async #openDisk(store: KeyStore): Promise<NodeDisk | undefined> {
    const { dataDir, durability, clusterId, nodeId, log } = this.#options;
    if (dataDir === undefined) return undefined;
    return NodeDisk.open({
      directory: dataDir,
      ...(durability === undefined ? {} : { durability }),
      ...(clusterId === undefined ? {} : { clusterId }),
      ...(nodeId === undefined ? {} : { nodeId }),
      store,
      log,
      onSaved: () => {
        this.#sample();
        this.#core?.onSaved();
      },
      onCorrupt: () => {
        this.#fault ??= `ends, for ${dataDir} is damaged or gone: what is left there is checked when it is started again`;
        void this.stop('its directory is damaged');
      },
    });
  }

  #tickEvery(ms: number): void {
    this.#timer?.stop();
    this.#timer = new AfterPollTimer(ms, () => {
      this.#tick();
    });
  }

  /** What has begun just now waits for ticks. */
  #hurryIfBusy(): void {
    if (!this.#isCalm || this.#core?.isBusy !== true || this.#stopping !== undefined) return;
    this.#isCalm = false;
    this.#tickEvery(busyTickMs);
  }

  /** After a tick only: a timer that was set anew in between, again and again, would never fire. */
  #calmDownIfIdle(core: NodeCore): void {
    const { map } = core.membership;
    if (core.isBusy || map === null || this.#stopping !== undefined) return;
    this.#isCalm = true;
    this.#tickEvery(calmTickMs(map.settings.leaseMs));
  }

  #ports(): ConstructorParameters<typeof NodeCore>[0]['ports'] {
    const { log } = this.#options;
    return {
      nowMs: () => this.#clock.nowMs,
      nextTurn: (work) => {
        setImmediate(() => {
          if (this.#stopping !== undefined) return;
          this.#sample();
          work();
        });
      },
      random: Math.random,
      peer: (nodeId): Link | undefined => this.#members.get(nodeId),
      manager: () => (this.#managerLink?.isOpen === true ? this.#managerLink : undefined),
      mapAdopted: (map) => {
        this.#followMap(map);
      },
      identityChanged: (nodeId, incarnation) => {
        // The manager tells of those it forked.
        log[this.#options.nodeId === undefined || incarnation === 0 ? 'info' : 'debug'](
          incarnation === 0
            ? `node ${nodeId} has no place in the cluster`
            : `node ${nodeId}, incarnation ${incarnation}`,
        );
      },
      stopOrdered: (fault) => {
        if (fault !== '') this.#fault ??= fault;
        void this.stop(fault === '' ? 'by order of the manager' : 'the manager refused it');
      },
      log: (level, text) => {
        log[level](text);
      },
    };
  }

  #followMap(map: ClusterMap): void {
    const { membership } = this.#core ?? {};
    if (membership !== undefined) this.#disk?.mapAdopted(map, membership);
    this.#members.follow(map.nodes.filter((node) => node.id !== membership?.nodeId));
  }

  #hello(): HelloMessage {
    const { nodeId = 0, incarnation = 0, map } = this.#core?.membership ?? {};
    return newHello(PeerRole.node, {
      clusterId: map?.clusterId ?? this.#disk?.clusterId ?? '',
      senderId: Math.max(0, nodeId),
      incarnation,
    });
  }

  #greet(hello: HelloMessage): WelcomeMessage | ErrorMessage {
    const core = this.#core;
    const clusterId = core?.membership.map?.clusterId ?? '';
    if (hello.clusterId !== '' && clusterId !== '' && hello.clusterId !== clusterId) {
      return newError('PROTOCOL', `this node belongs to cluster ${clusterId}, not ${hello.clusterId}`);
    }
    this.#sample();
    return {
      type: MessageType.welcome,
      protocolVersion,
      role: PeerRole.node,
      clusterId,
      senderId: Math.max(0, core?.membership.nodeId ?? 0),
      incarnation: core?.membership.incarnation ?? 0,
      // Nothing rather than what is in doubt.
      clockUs: core?.lease.clock.isSure === true ? core.lease.clock.nowUs() : 0,
      frameBytesMax: this.#frameBytesMax(),
    };
  }

  /** Before the first map: what the manager said when it forked this node. */
  #frameBytesMax(): number {
    const settings = this.#core?.membership.map?.settings;
    return settings === undefined
      ? (this.#options.frameBytesMax ?? frameBytesMax(defaultSettings))
      : frameBytesMax(settings);
  }

  #dialManager(core: NodeCore): void {
    const { manager, log } = this.#options;
    this.#managerLostAtMs = this.#clock.nowMs;
    this.#manager = new Redialler({
      ...manager,
      ...this.#dialFrom,
      hello: () => this.#hello(),
      backoffMsMax: managerBackoffMsMax,
      handlers: {
        onOpen: (connection) => {
          this.#sample();
          this.#managerLink = connection;
          this.#hasMetStranger = false;
          core.onManagerUp();
        },
        onBatchStart: () => {
          this.#sample();
        },
        onMessage: (_connection, message: Message) => {
          core.onManagerMessage(message);
          this.#hurryIfBusy();
        },
        onClose: (_connection, reason) => {
          this.#sample();
          this.#managerLink = undefined;
          this.#managerLostAtMs = this.#clock.nowMs;
          core.onManagerDown();
          if (this.#stopping !== undefined) return;
          log.warn(`manager lost: ${reason.text}; serving on while the other nodes agree`);
        },
      },
      onDialFailed: (error, attempts) => {
        // Worth a word to whoever gave the address; later, the loss of the manager has been told.
        if (attempts === 1)
          log[core.membership.incarnation === 0 ? 'warn' : 'debug'](`${error.message}; trying on`);
        if (error.code === 'PROTOCOL' && core.membership.map !== null) this.#onStranger(core, error);
      },
    });
  }

  /**
   * Somebody else answers at that address. If it says that it is another cluster's manager, ours is gone for good, or was started
   * without its state. All that is left of the data may be in nodes like this one then, so one that was started by hand leaves it
   * to its user to end it. Anything else may listen there while ours is away: that tells nothing (M8).
   */
  #onStranger(core: NodeCore, error: GTStoreError): void {
    const { keys } = core.replica.store;
    const isForked = this.#options.nodeId !== undefined;
    const holdsNothing = keys === 0 || core.membership.slotsOf(Role.full).length === 0;
    if (error instanceof OtherClusterError && (isForked || holdsNothing)) {
      void this.stop(error.message);
      return;
    }
    if (this.#hasMetStranger) return;
    this.#hasMetStranger = true;
    this.#options.log.error(
      `${error.message}; this node keeps the data of ${keys} keys, and goes on looking for its own manager: ` +
        'start that with its state, or end this node to give it up',
    );
  }

  /** Before anything is handled. A lease must not outlast a suspension of this host (R4). */
  #sample(): void {
    if (this.#clock.sample()) this.#core?.lease.onSuspended();
  }

  #tick(): void {
    this.#sample();
    if (this.#core !== undefined) {
      this.#core.tick();
      if (this.#isCalm) this.#hurryIfBusy();
      else this.#calmDownIfIdle(this.#core);
    }
    const { endWithoutManagerMs } = this.#options;
    if (endWithoutManagerMs === undefined || this.#managerLink !== undefined) return;
    if (this.#clock.nowMs - this.#managerLostAtMs < endWithoutManagerMs) return;
    void this.stop(`the manager has been away for ${endWithoutManagerMs} ms`);
  }

  /** Ends all connections and timers. */
  stop(reason = 'stopped'): Promise<void> {
    this.#stopping ??= this.#stop(reason);
    return this.#stopping;
  }

  async #stop(reason: string): Promise<void> {
    this.#timer?.stop();
    this.#memory.close();
    this.#manager?.stop();
    this.#members.stop();
    await this.#listener?.close();
    await this.#disk?.close();
    this.#resolveEnded(reason);
  }
}

function isLoopback(host: string): boolean {
  return host === '::1' || host === 'localhost' || host.startsWith('127.');
}
