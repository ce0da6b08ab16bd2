/**
 * Turns an operation into the frames of one attempt: chooses whom to ask, numbers the attempt, sends. Messages are
 * scratch objects, encoded when sent; nothing is allocated per operation.
 */
import type { ClusterMap } from '../../protocol/cluster-map.js';
import { MessageType, Want, WriteKind } from '../../protocol/messages.js';
import type { Link, Message } from '../../protocol/messages.js';
import { validateMsMax } from '../../protocol/settings.js';
import { copyVersion } from '../../protocol/version.js';
import type { LargeWrites } from './large-writes.js';
import { OperationKind } from './operation.js';
import type { Operation } from './operation.js';
import type { OperationTable } from './operation-table.js';
import type { ClientPorts } from './ports.js';

/** What came of an attempt. */
export const Sent = {
  all: 0,
  /** Nobody was asked, for want of a connection or of replicas. */
  unreachable: 1,
  /** Nobody was asked, since enough waits for one of them already, or is large and under way. */
  noRoom: 2,
} as const;
export type Sent = (typeof Sent)[keyof typeof Sent];

export interface SenderOptions {
  readonly ports: ClientPorts;
  readonly table: OperationTable;
  readonly large: LargeWrites;
  readonly clientId: number;
  readonly readFromAny: boolean;
  /** A member whose connection is missing. */
  readonly unreachable: (nodeId: number) => void;
}

export class Sender {
  readonly #options: SenderOptions;
  #links: Link[] = [];
  /** By node, until when it is given no writes: too many wait there. */
  readonly #crowdedUntilMs = new Map<number, number>();
  /** Counts reads, to spread them. */
  #turn = 0;

  readonly #write = {
    type: MessageType.write,
    rid: 0,
    epoch: 0,
    kind: WriteKind.plain,
    version: { hlc: 0, clientId: 0, seq: 0, epoch: 0 },
    key: '',
    value: null as Uint8Array | null,
    expiresAtMs: 0,
    applied: null,
  };
  readonly #get = { type: MessageType.get, rid: 0, versionOnly: false, key: '' };
  readonly #validate = { type: MessageType.validate, rid: 0 };

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** One attempt under this map. */
  send(operation: Operation, map: ClusterMap): Sent {
    switch (operation.kind) {
      case OperationKind.put:
        return this.#sendWrite(operation, map);
      case OperationKind.get:
        return this.#sendGet(operation, map);
      case OperationKind.condition:
        return this.#sendCondition(operation, map);
    }
  }

  /** W2: to all members at once; to none unless all can be reached. */
  #sendWrite(operation: Operation, map: ClusterMap): Sent {
    const { ports, table, large } = this.#options;
    const members = map.members(operation.slot);
    const links = this.#linksFor(members.length);
    let hasRoom = true;
    for (let i = 0; i < members.length; i++) {
      const link = this.#linkTo(members[i] ?? -1);
      if (link === undefined) return this.#unreachable(operation, members);
      if (link.isFull || this.#isCrowded(members[i] ?? -1)) hasRoom = false;
      links[i] = link;
    }
    const fullCount = map.slot(operation.slot).replicas.length;
    if (fullCount === 0) return Sent.unreachable;
    operation.members = members;
    if (!hasRoom || !large.admit(operation)) return Sent.noRoom;
    operation.fullCount = fullCount;
    operation.awaited = (1 << members.length) - 1;
    const message = this.#write;
    message.rid = table.number(operation);
    message.epoch = map.epoch;
    copyVersion(operation.version, message.version);
    message.key = operation.key;
    message.value = operation.payload;
    message.expiresAtMs = operation.expiresAtMs;
    ports.broadcast(links, message, this.#isAlone);
    return Sent.all;
  }

  /** It has refused a write for now: all of them, sent again and again, would be in its way. */
  crowded(nodeId: number, forMs: number): void {
    this.#crowdedUntilMs.set(nodeId, this.#options.ports.nowMs() + forMs);
  }

  #isCrowded(nodeId: number): boolean {
    if (this.#crowdedUntilMs.size === 0) return false;
    if (this.#options.ports.nowMs() < (this.#crowdedUntilMs.get(nodeId) ?? -Infinity)) return true;
    this.#crowdedUntilMs.delete(nodeId);
    return false;
  }

  /** The connection to that member; if there is none, the manager is told. */
  #linkTo(nodeId: number): Link | undefined {
    const link = this.#options.ports.node(nodeId);
    if (link === undefined) this.#options.unreachable(nodeId);
    return link;
  }

  /** So that the caller can be told who it was. */
  #unreachable(operation: Operation, members: readonly number[]): Sent {
    operation.members = members;
    members.forEach((id, i) => {
      if (this.#linkTo(id) === undefined) operation.unreached |= 1 << i;
    });
    return Sent.unreachable;
  }

  /** The operation at hand is the only one under way, so that none will come soon to share its write to the socket. */
  get #isAlone(): boolean {
    return this.#options.table.inUse === 1;
  }

  /** An array to be filled anew: a shorter or longer one only when slots differ, since changing the length is slow. */
  #linksFor(count: number): Link[] {
    if (this.#links.length !== count) this.#links = new Array<Link>(count);
    return this.#links;
  }

  #sendGet(operation: Operation, map: ClusterMap): Sent {
    const { replicas } = map.slot(operation.slot);
    this.#get.versionOnly = operation.versionOnly;
    this.#get.key = operation.key;
    const index = this.#readTarget(operation, replicas);
    if (index >= 0) return this.#askOne(operation, replicas, index, this.#get);
    operation.attempts--;
    return Sent.all;
  }

  /**
   * R1: the primary, or any full replica; the next one that can be reached, and another with every attempt. Whoever has been asked
   * on a connection that stands is not asked again: the answer is on its way, and would come twice.
   * @returns -1: there is nobody else
   */
  #readTarget(operation: Operation, replicas: readonly number[]): number {
    const start = (this.#options.readFromAny ? ++this.#turn : 0) + operation.attempts - 1;
    for (let i = 0; i < replicas.length; i++) {
      const index = (start + i) % replicas.length;
      if ((operation.awaited & (1 << index)) !== 0) continue;
      if (this.#options.ports.node(replicas[index] ?? -1)?.isFull === false) return index;
    }
    return operation.awaited === 0 ? 0 : -1;
  }

  /** RMW1: to the primary. */
  #sendCondition(operation: Operation, map: ClusterMap): Sent {
    const message = {
      type: MessageType.condition,
      rid: 0,
      epoch: map.epoch,
      opClientId: this.#options.clientId,
      opNumber: operation.opNumber,
      retried: operation.maybeStored,
      wants: (operation.wantValue ? Want.value : 0) + (wantsTurn(operation) ? Want.turn : 0),
      expectAbsent: operation.expectAbsent,
      expected: operation.expected,
      key: operation.key,
      value: operation.payload,
      expiresAtMs: operation.expiresAtMs,
    };
    return this.#askOne(operation, map.slot(operation.slot).replicas, 0, message);
  }

  /**
   * Sends it to that replica. A get keeps its request id, so that whoever answers first has answered it: a replica looks at its
   * lease when it answers (R4), so any answer is as good, whatever the epoch in which it was asked.
   */
  #askOne(
    operation: Operation,
    replicas: readonly number[],
    index: number,
    message: Message & { rid: number },
  ): Sent {
    const target = replicas[index];
    const link = target === undefined ? undefined : this.#linkTo(target);
    if (link === undefined) return this.#unreachable(operation, replicas);
    operation.members = replicas;
    operation.fullCount = replicas.length;
    if (link.isFull) return Sent.noRoom;
    if (operation.kind !== OperationKind.get) {
      const isTurn = wantsTurn(operation);
      if (this.#isCrowded(target ?? -1) || !this.#options.large.admit(operation, isTurn)) return Sent.noRoom;
    }
    operation.awaited |= 1 << index;
    message.rid = operation.rid === 0 ? this.#options.table.number(operation) : operation.rid;
    link.send(message, this.#isAlone);
    return Sent.all;
  }

  /** W9: lazily, to all members of the attempt that committed, the primary first. */
  validate(operation: Operation): void {
    const message = this.#validate;
    message.rid = operation.rid;
    let patienceMs: number = validateMsMax.primary;
    for (const id of operation.members) {
      this.#options.ports.node(id)?.sendLazily(message, patienceMs);
      // Where readers go to any replica, they wait at any.
      if (!this.#options.readFromAny) patienceMs = validateMsMax.others;
    }
  }
}

/** RMW7: one that got no answer waits there, perhaps, while puts keep the key INVALID. */
function wantsTurn({ wantTurn, attempts }: Operation): boolean {
  return wantTurn || attempts > 1;
}
