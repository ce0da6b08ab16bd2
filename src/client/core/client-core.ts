/**
 * The client without sockets, timers or promises: it routes by a cached cluster map, coordinates plain writes
 * (PROTOCOL W1-W9), reads from the primary (R1), hands conditional writes to the primary (RMW5), and hides failures:
 * a request that was fenced, lost or left unanswered is tried again, under the newer map, with the same version or
 * operation id. Whoever does not answer is reported to the manager (see-tell), and however many operations fail at
 * once, one request for a map is under way.
 *
 * A put is decided when every member of its slot answered and a full replica said ACK, now or in an earlier attempt
 * (W5). When all members said STALE and nobody can have stored it, it starts again with a raised version (W6);
 * otherwise its outcome is unknown (W8).
 */
import type { ClusterMap, ClusterMapData } from '../../protocol/cluster-map.js';
import { ProtocolError } from '../../protocol/errors.js';
import { changed } from '../../protocol/map-change.js';
import { ConditionStatus, MessageType, RefusedReason } from '../../protocol/messages.js';
import type {
  ConditionResultMessage,
  MapChangeMessage,
  Message,
  StaleMessage,
  ValueMessage,
} from '../../protocol/messages.js';
import { copyVersion } from '../../protocol/version.js';
import type { Version } from '../../protocol/version.js';
import { HostSleep } from './host-sleep.js';
import { LargeWrites, largeWriteLimits } from './large-writes.js';
import { Lateness } from './lateness.js';
import { type Operation, OperationKind, OperationState, Outcome, type Wants } from './operation.js';
import { OperationTable, operationsMax } from './operation-table.js';
import { newerMap } from './newer-map.js';
import { clientTimings } from './ports.js';
import type { ClientCoreOptions, ClientPorts, ClientTimings } from './ports.js';
import { Scout } from './scout.js';
import { Sender, Sent } from './sender.js';
import { VersionClock } from './version-clock.js';

/** What a conditional write expects: a version, or null: the key is absent. */
export type Expectation = Version | null;

export class ClientCore {
  readonly clientId: number;
  /** To be told of every suspension of this host, and of the cluster's clock after it. */
  readonly hostSleep: HostSleep;
  readonly #ports: ClientPorts;
  readonly #timings: ClientTimings;
  readonly #table: OperationTable;
  readonly #sender: Sender;
  readonly #scout: Scout;
  readonly #lateness: Lateness;
  readonly #large: LargeWrites;
  #map: ClusterMap | null = null;
  readonly #versions: VersionClock;
  #opNumber = 0;

  constructor({
    ports,
    clientId,
    readFrom = 'primary',
    inFlightMax,
    timings = clientTimings,
    largeWrites = largeWriteLimits,
  }: ClientCoreOptions) {
    this.#ports = ports;
    this.clientId = clientId;
    this.#versions = new VersionClock(ports, clientId);
    this.#table = new OperationTable(inFlightMax ?? operationsMax, () => ports.nowMs());
    this.#timings = timings;
    this.hostSleep = new HostSleep(this.#table, this.#versions, this.#retry);
    this.#scout = new Scout(ports, timings);
    this.#large = new LargeWrites(largeWrites, () => {
      this.#table.retryForRoom('large', this.#retry);
    });
    this.#lateness = new Lateness({
      ports,
      timings,
      table: this.#table,
      core: this,
      large: this.#large,
      retry: this.#retry,
      askElsewhere: (operation) => {
        this.wantMap();
        this.#attempt(operation);
      },
    });
    this.#sender = new Sender({
      ports,
      table: this.#table,
      large: this.#large,
      clientId,
      readFromAny: readFrom === 'any',
      unreachable: (nodeId) => {
        this.report(nodeId);
      },
    });
  }

  get map(): ClusterMap | null {
    return this.#map;
  }

  get inFlight(): number {
    return this.#table.inUse;
  }

  // --- beginning an operation --------------------------------------------------------------------------------------

  /**
   * @param key key bytes
   * @param value encoded; the bytes must stay as they are until the operation is completed
   * @returns undefined if too many operations are under way
   */
  put(
    key: string,
    value: Uint8Array | null,
    expiresAtMs: number,
    deadlineMs: number,
    context: unknown,
  ): Operation | undefined {
    const operation = this.#take(OperationKind.put, key, deadlineMs, context);
    if (operation === undefined) return undefined;
    operation.payload = value;
    operation.expiresAtMs = expiresAtMs;
    this.#versions.assign(operation.version);
    if (this.hostSleep.isClockInDoubt) this.hostSleep.hold(operation);
    else this.#attempt(operation);
    return operation;
  }

  get(key: string, versionOnly: boolean, deadlineMs: number, context: unknown): Operation | undefined {
    const operation = this.#take(OperationKind.get, key, deadlineMs, context);
    if (operation === undefined) return undefined;
    operation.versionOnly = versionOnly;
    this.#attempt(operation);
    return operation;
  }

  /** Writes `value` (null deletes) if the key is as expected. */
  putIf(
    key: string,
    expected: Expectation,
    value: Uint8Array | null,
    expiresAtMs: number,
    wants: Wants,
    deadlineMs: number,
    context: unknown,
  ): Operation | undefined {
    const operation = this.#take(OperationKind.condition, key, deadlineMs, context);
    if (operation === undefined) return undefined;
    operation.payload = value;
    operation.expiresAtMs = expiresAtMs;
    operation.wantValue = wants.value;
    operation.wantTurn = wants.turn;
    operation.expectAbsent = expected === null;
    if (expected !== null) copyVersion(expected, operation.expected);
    operation.opNumber = ++this.#opNumber;
    this.#attempt(operation);
    return operation;
  }

  #take(kind: OperationKind, key: string, deadlineMs: number, context: unknown): Operation | undefined {
    const operation = this.#table.take();
    if (operation === undefined) return undefined;
    operation.reset(kind, key, this.#map?.slotOf(key) ?? -1, deadlineMs);
    operation.context = context;
    return operation;
  }

  // --- one attempt -------------------------------------------------------------------------------------------------

  #attempt(operation: Operation): void {
    const map = this.#map;
    operation.beginAttempt(map?.epoch ?? 0, this.#ports.nowMs());
    if (map === null) {
      this.#wait(operation);
      return;
    }
    if (operation.slot < 0) operation.slot = map.slotOf(operation.key);
    const sent = this.#sender.send(operation, map);
    if (sent === Sent.all) operation.state = OperationState.inFlight;
    else if (sent === Sent.unreachable) this.#wait(operation);
    else this.#waitForRoom(operation);
  }

  /** Never behind its deadline: what was stopped, or suspended, may find the tombstone gone that tells of an earlier attempt (RMW5). */
  readonly #retry = (operation: Operation): void => {
    if (operation.waitsForClock) return;
    if (this.#ports.nowMs() >= operation.deadlineMs) this.giveUp(operation);
    else this.#attempt(operation);
  };

  #waitForRoom(operation: Operation): void {
    operation.holdAttempt();
    this.#waitFor(operation, this.#timings.retryMsMax);
  }

  /** W7: tried again when a newer map comes, or after a pause. */
  #wait(operation: Operation): void {
    const { retryMsMin, retryMsMax } = this.#timings;
    this.#waitFor(operation, Math.min(retryMsMax, retryMsMin * 2 ** Math.min(operation.pauses++, 16)));
    this.wantMap();
  }

  #waitFor(operation: Operation, pauseMs: number): void {
    operation.state = OperationState.waiting;
    this.#large.ended(operation);
    if (operation.kind !== OperationKind.get) {
      operation.rid = 0;
      operation.awaited = 0;
    }
    operation.retryAtMs = this.#ports.nowMs() + pauseMs * (0.5 + this.#ports.random());
  }

  // --- answers -----------------------------------------------------------------------------------------------------

  /** A message on the connection to that node. Answers to earlier attempts of a write find nothing and are dropped. */
  onNodeMessage(nodeId: number, message: Message): void {
    switch (message.type) {
      case MessageType.ack:
        this.#onAck(nodeId, message.rid);
        return;
      case MessageType.stale:
        this.#onStale(nodeId, message);
        return;
      case MessageType.value:
        this.#onValue(nodeId, message);
        return;
      case MessageType.conditionResult:
        this.#onConditionResult(nodeId, message);
        return;
      case MessageType.fenced:
        if (message.epoch > (this.#map?.epoch ?? 0)) this.wantMap();
        this.#onFenced(nodeId, message.rid);
        return;
      case MessageType.refused:
        this.#onRefused(nodeId, message.rid, message.reason);
        return;
      case MessageType.map:
        if (message.map !== null) this.onMap(message.map);
        return;
      default:
        throw new ProtocolError(`message type ${message.type} is not an answer of a node`);
    }
  }

  /** A message of the manager. */
  onManagerMessage(message: Message): void {
    if (message.type === MessageType.map) {
      if (message.map !== null) this.onMap(message.map);
    } else if (message.type === MessageType.mapChange) {
      this.#onMapChange(message);
    } else if (message.type === MessageType.reportAck) {
      if (message.epoch > (this.#map?.epoch ?? 0)) this.wantMap();
    } else if (message.type !== MessageType.queryResult && message.type !== MessageType.statusResult) {
      throw new ProtocolError(`message type ${message.type} is not a message of a manager`);
    }
  }

  #onAck(nodeId: number, rid: number): void {
    const operation = this.#table.find(rid);
    const index = operation?.awaitedIndex(nodeId) ?? -1;
    if (operation === undefined || index < 0) return;
    if (index < operation.fullCount) operation.fullAcked = true;
    else operation.learnerAcked = true;
    this.#answered(operation, index);
  }

  #onStale(nodeId: number, message: StaleMessage): void {
    const operation = this.#table.find(message.rid);
    const index = operation?.awaitedIndex(nodeId) ?? -1;
    if (operation === undefined || index < 0) return;
    this.#versions.saw(message.version);
    this.#answered(operation, index);
  }

  #onFenced(nodeId: number, rid: number): void {
    const operation = this.#table.find(rid);
    const index = operation?.awaitedIndex(nodeId) ?? -1;
    if (operation === undefined || index < 0) return;
    operation.attemptFailed = true;
    if (operation.kind === OperationKind.put) {
      this.#answered(operation, index);
      return;
    }
    operation.isAnsweredBy(index);
    if (operation.state === OperationState.inFlight) this.#wait(operation);
  }

  #onRefused(nodeId: number, rid: number, reason: RefusedReason): void {
    const operation = this.#table.find(rid);
    const index = operation?.awaitedIndex(nodeId) ?? -1;
    if (operation === undefined || index < 0) return;
    if (reason === RefusedReason.queueFull) {
      if (operation.kind !== OperationKind.get) this.#sender.crowded(nodeId, this.#timings.retryMsMax);
      this.#onFenced(nodeId, rid);
      return;
    }
    operation.noteRefusal(nodeId, reason);
    this.#answered(operation, index);
  }

  #answered(operation: Operation, index: number): void {
    operation.isAnsweredBy(index);
    if (operation.awaited !== 0) return;
    if (operation.isRefused)
      this.#complete(operation, operation.mayBeStored ? Outcome.unknown : Outcome.refused);
    else this.#decidePut(operation);
  }

  #decidePut(operation: Operation): void {
    if (operation.attemptFailed) {
      if (operation.learnerAcked) operation.maybeStored = true;
      this.#wait(operation);
    } else if (operation.fullAcked) {
      // W5, W9.
      this.#sender.validate(operation);
      this.#complete(operation, Outcome.done);
      this.#large.useRoom();
    } else if (operation.maybeStored || operation.learnerAcked) {
      // W8. A learner that said ACK counts, too: it may be promoted without the higher version, which so far only a
      // dying full replica may hold, and bring this one back.
      this.#complete(operation, Outcome.unknown);
    } else {
      // W6: nobody has stored it, and nobody can have.
      operation.forgetAttempts();
      this.#versions.assign(operation.version);
      this.#attempt(operation);
    }
  }

  #onValue(nodeId: number, message: ValueMessage): void {
    const operation = this.#table.find(message.rid);
    const index = operation?.awaitedIndex(nodeId) ?? -1;
    if (operation?.kind !== OperationKind.get || index < 0) return;
    operation.isAnsweredBy(index);
    operation.takeResult(message);
    this.#versions.saw(message.version);
    this.#complete(operation, Outcome.done);
  }

  #onConditionResult(nodeId: number, message: ConditionResultMessage): void {
    const operation = this.#table.find(message.rid);
    if (operation?.kind !== OperationKind.condition || !operation.takeOnlyAnswer(nodeId)) return;
    if (message.status === ConditionStatus.interrupted) {
      operation.maybeStored = true;
      this.#wait(operation);
    } else if (message.status === ConditionStatus.unknown) {
      this.#complete(operation, Outcome.unknown);
    } else {
      operation.applied = message.status === ConditionStatus.applied;
      operation.takeResult(message);
      this.#versions.saw(message.version);
      this.#complete(operation, Outcome.done);
      this.#large.useRoom();
    }
  }

  // --- failures and maps ---------------------------------------------------------------------------------------------

  /** The connection to that node is gone: nothing that it had not answered will be. */
  onNodeDown(nodeId: number): void {
    this.report(nodeId);
    this.#table.forEach((operation) => {
      const index = operation.awaitedIndex(nodeId);
      if (index < 0) return;
      if (operation.kind === OperationKind.get) operation.isAnsweredBy(index);
      if (operation.state === OperationState.inFlight) this.#unanswered(operation);
    });
  }

  /** A connection is open: what waited for it may go on. */
  onNodeUp(nodeId: number): void {
    this.#table.forEach((operation) => {
      if (operation.state !== OperationState.waiting || operation.slot < 0) return;
      if (this.#map?.members(operation.slot).includes(nodeId) === true) this.#retry(operation);
    });
  }

  /** A connection has room again. */
  onRoom(): void {
    this.#table.retryForRoom('connection', this.#retry);
  }

  /** W7, W8: this attempt's result stays unknown; the next one carries the same version or operation id. */
  #unanswered(operation: Operation): void {
    if (operation.kind !== OperationKind.get) operation.maybeStored = true;
    operation.isAnswerLate = true;
    this.#wait(operation);
  }

  /** M7. */
  onMap(data: ClusterMapData): void {
    const previous = this.#map;
    const map = newerMap(data, previous);
    if (map === null) return;
    this.#map = map;
    this.#ports.mapAdopted(map, previous);
    this.#table.forEach((operation) => {
      // Things have changed: what it waited for so far says nothing of how long it has to wait now.
      operation.pauses = 0;
      if (operation.waitsInVain(map, previous)) this.#unanswered(operation);
      if (operation.state === OperationState.waiting) this.#retry(operation);
    });
  }

  #onMapChange(change: MapChangeMessage): void {
    const map = this.#map;
    if (map?.epoch === change.base) this.onMap(changed(map, change));
    else if (change.epoch > (map?.epoch ?? 0)) this.wantMap();
  }

  wantMap(): void {
    this.#scout.wantMap(this.#map);
  }

  /** See-tell: the manager is told of a node that did not answer (M2). */
  report(nodeId: number): void {
    this.#scout.report(this.#map, nodeId);
  }

  // --- ending ------------------------------------------------------------------------------------------------------

  #complete(operation: Operation, outcome: Outcome): void {
    operation.outcome = outcome;
    operation.rid = 0;
    this.#large.ended(operation);
    this.#ports.completed(operation);
    operation.context = null;
    operation.payload = null;
    operation.value = null;
    this.#table.release(operation);
  }

  /** The caller gives up, or its deadline has passed. */
  giveUp(operation: Operation): void {
    this.#complete(operation, operation.mayBeStored ? Outcome.unknown : Outcome.timedOut);
  }

  /** Ends every operation under way. */
  close(): void {
    this.#table.forEach((operation) => {
      this.#complete(operation, operation.mayBeStored ? Outcome.unknown : Outcome.closed);
    });
  }

  /** Call every few milliseconds while operations are under way. */
  tick(): void {
    this.#lateness.tick(this.#map);
    this.#large.useRoom();
  }
}
