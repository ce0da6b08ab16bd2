/**
 * One connection to the manager, or to each of its addresses if several were given, and what its greeting tells: which cluster it
 * is of, and what time it is there. As soon as a map is known, whoever is of another cluster is no manager of ours.
 */
import { GTStoreError } from '../protocol/errors.js';
import { MessageType, PeerRole } from '../protocol/messages.js';
import type { HelloMessage, Message } from '../protocol/messages.js';
import type { Connection } from '../transport/connection.js';
import { Redialler } from '../transport/redialler.js';
import type { Address } from './arguments.js';
import type { Asked, LearntClock } from './learnt-clock.js';

export interface ManagerLinksOptions {
  readonly addresses: readonly Address[];
  readonly localAddress: string | undefined;
  readonly clock: LearntClock;
  readonly hello: () => HelloMessage;
  /** Of the map; undefined: none is known yet. */
  readonly clusterId: () => string | undefined;
  readonly onUp: (connection: Connection) => void;
  readonly onMessage: (connection: Connection, message: Message) => void;
  /** A connection was lost, or another cluster answers. */
  readonly onTrouble: (error: GTStoreError) => void;
  /** A dial failed. */
  readonly onDialFailed: () => void;
}

interface ManagerLink {
  readonly address: Address;
  readonly redialler: Redialler;
  /** Greeted, and a manager of ours as far as is known. */
  connection: Connection | undefined;
  /** As its last greeting told it. */
  offsetUs: number;
}

const backoffMsMax = 500;

export class ManagerLinks {
  readonly #options: ManagerLinksOptions;
  readonly #links: ManagerLink[] = [];
  readonly #troubles = new Map<Address, GTStoreError>();
  /** Why a manager could not be reached last. */
  #lastTrouble: GTStoreError | undefined;

  constructor(options: ManagerLinksOptions) {
    this.#options = options;
  }

  dial(): void {
    for (const address of this.#options.addresses) this.#dial(address);
  }

  get connection(): Connection | undefined {
    for (const { connection } of this.#links) if (connection?.isOpen === true) return connection;
    return undefined;
  }

  /** Waiting does not make a manager of what answers at one address; but another address may have one. */
  get isHopeless(): boolean {
    return this.#options.addresses.every((address) => this.#troubles.get(address)?.code === 'PROTOCOL');
  }

  /** Of several, the one that waiting does not mend. */
  get trouble(): GTStoreError | undefined {
    return [...this.#troubles.values()].find(({ code }) => code === 'PROTOCOL') ?? this.#lastTrouble;
  }

  #noteTrouble(address: Address, error: GTStoreError): void {
    this.#troubles.set(address, error);
    this.#lastTrouble = error;
  }

  #dial(address: Address): void {
    const { localAddress, clock, hello, clusterId, onMessage, onTrouble, onDialFailed } = this.#options;
    let asked = clock.asks();
    const redialler = new Redialler({
      host: address.host,
      port: address.port,
      ...(localAddress === undefined ? {} : { localAddress }),
      hello: () => {
        asked = clock.asks();
        return hello();
      },
      backoffMsMax,
      handlers: {
        onOpen: (connection) => {
          const offsetUs = this.#offsetOf(address, connection, asked);
          if (offsetUs === null) return;
          link.connection = connection;
          link.offsetUs = offsetUs;
          clock.learn(offsetUs);
          this.#options.onUp(connection);
        },
        onBatchStart: () => {
          clock.sample();
        },
        onMessage,
        onClose: (_connection, reason) => {
          // What this side closed has been told of, if it is worth a word.
          if (reason.code !== 'closed')
            onTrouble(new GTStoreError('UNAVAILABLE', `manager lost: ${reason.text}`));
        },
      },
      onDialFailed: (error) => {
        this.#noteTrouble(address, error);
        if (error.code === 'PROTOCOL' && clusterId() !== undefined) onTrouble(error);
        onDialFailed();
      },
    });
    const link: ManagerLink = { address, redialler, connection: undefined, offsetUs: 0 };
    this.#links.push(link);
  }

  /** Whether this is a manager of ours, and what its greeting tells of the clock; null: the connection is closed. */
  #offsetOf(address: Address, connection: Connection, asked: Asked): number | null {
    const { peer } = connection;
    if (peer.type !== MessageType.welcome || peer.role !== PeerRole.manager) {
      const text = `${connection.remote} is a node; give the manager's address`;
      this.#noteTrouble(address, new GTStoreError('PROTOCOL', text));
      connection.close('not a manager');
      return null;
    }
    const clusterId = this.#options.clusterId();
    if (clusterId !== undefined && peer.clusterId !== clusterId) {
      this.#dropStranger(address, connection, clusterId);
      return null;
    }
    this.#troubles.delete(address);
    const offsetUs = this.#options.clock.offsetOf(peer.clockUs, asked);
    if (offsetUs === null)
      connection.close("its greeting may be too old to tell the manager's clock: dial anew");
    return offsetUs;
  }

  #dropStranger(address: Address, connection: Connection, clusterId: string): void {
    const text = `${connection.remote} is the manager of cluster ${connection.peer.clusterId}, not of ${clusterId}`;
    const error = new GTStoreError('PROTOCOL', text);
    this.#noteTrouble(address, error);
    this.#options.onTrouble(error);
    connection.close('the manager of another cluster');
  }

  /** The first map has come: it says which cluster this is, and hence whose clock counts. */
  belongTo(clusterId: string): void {
    for (const { address, connection, offsetUs } of this.#links) {
      if (connection?.isOpen !== true) continue;
      if (connection.peer.clusterId === clusterId) this.#options.clock.learn(offsetUs);
      else this.#dropStranger(address, connection, clusterId);
    }
  }

  /** Which is when the clock is told. */
  dialAnew(): void {
    for (const { connection } of this.#links) connection?.close('this host was suspended: dial anew');
  }

  stop(): void {
    for (const { redialler } of this.#links) redialler.stop();
  }
}
