/**
 * One operation of a client, from call to outcome. Objects are pooled and reused: after `completed` returns, neither
 * the operation nor the bytes it points to may be touched.
 */
import type { ClusterMap } from '../../protocol/cluster-map.js';
import type { ConditionResultMessage, RefusedReason, ValueMessage } from '../../protocol/messages.js';
import { copyVersion } from '../../protocol/version.js';
import type { MutableVersion } from '../../protocol/version.js';

export const OperationKind = { put: 0, get: 1, condition: 2 } as const;
export type OperationKind = (typeof OperationKind)[keyof typeof OperationKind];

export const OperationState = { free: 0, inFlight: 1, waiting: 2 } as const;
export type OperationState = (typeof OperationState)[keyof typeof OperationState];

export const Outcome = {
  pending: 0,
  /** `version`, `present` and `value` are the answer. */
  done: 1,
  /** The deadline passed, or the caller gave up, and the store has not taken it. */
  timedOut: 2,
  /** It may or may not have been taken (W8, RMW5). */
  unknown: 3,
  /** A node refused it for good: `refused` says why. */
  refused: 4,
  /** The client was closed. */
  closed: 5,
} as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

/** What a conditional write that is not applied wants. */
export interface Wants {
  /** To be told what is there. */
  readonly value: boolean;
  /** That puts of the key wait for a moment, for its caller will try again at once (RMW7). */
  readonly turn: boolean;
}

export const noWants: Wants = { value: false, turn: false };

/** Nobody has been asked yet. */
const noMembers: readonly number[] = [];

export class Operation {
  kind: OperationKind = OperationKind.get;
  state: OperationState = OperationState.free;
  outcome: Outcome = Outcome.pending;
  /** Place in the table of operations in flight. */
  readonly index: number;
  /** Request id of the present attempt; of a get, of all attempts while it waits for the same ones. */
  rid = 0;
  /** Counts the attempts that were made with this object, those of other operations included. */
  turn = 0;
  key = '';
  slot = 0;
  deadlineMs = 0;

  // What is asked.
  /** Put, condition: the new value; null deletes. */
  payload: Uint8Array | null = null;
  expiresAtMs = 0;
  versionOnly = false;
  expectAbsent = false;
  wantValue = false;
  wantTurn = false;
  readonly expected: MutableVersion = { hlc: 0, clientId: 0, seq: 0, epoch: 0 };
  /** Identity of a conditional write across its retries (RMW5). */
  opNumber = 0;

  // The present attempt.
  attempts = 0;
  /** Pauses between attempts since the newest map: the back-off goes by them. */
  pauses = 0;
  epoch = 0;
  sentMs = 0;
  /** How often it waits on, late as it is. */
  excuses = 0;
  /** One bit per member that could not be reached: it was not sent. */
  unreached = 0;
  /** It was not sent, since enough waits for one of its members, or is large and under way. */
  waitsForRoom = false;
  /** That is room among large writes, not on the connection to a member. */
  waitsForLarge = false;
  /** For which it counts among the large writes under way; 0: it does not. */
  largeBytes = 0;
  /** No whole number: when the first one had to wait, all code that handles operations would be compiled anew. */
  retryAtMs = -Infinity;
  members: readonly number[] = noMembers;
  fullCount = 0;
  /** One bit per member whose answer is awaited. Of a get in all attempts: the first answer of any counts. */
  awaited = 0;
  /** A member was fenced, lost or silent: this attempt decides nothing. */
  attemptFailed = false;
  /** A learner said ACK to this attempt. */
  learnerAcked = false;

  /** An earlier attempt may still be answered. */
  isAnswerLate = false;

  // All attempts at the present version.
  /** Put: a full replica said ACK in some attempt. */
  fullAcked = false;
  /** Somebody may have stored it without our knowing, or a learner did in an attempt that failed. */
  maybeStored = false;

  // The answer.
  /** Put: the version written. Get: the version read. Condition: as in ConditionResultMessage. */
  readonly version: MutableVersion = { hlc: 0, clientId: 0, seq: 0, epoch: 0 };
  present = false;
  applied = false;
  value: Uint8Array | null = null;
  refused: RefusedReason = 0;
  /** Who refused it. */
  refusedBy = -1;
  /** In the present attempt somebody refused it, for the reason in `refused`. */
  isRefused = false;

  /** It has not begun: the clock that it needs is in doubt. */
  waitsForClock = false;

  /** Whatever the caller keeps with it. */
  context: unknown = null;

  constructor(index: number) {
    this.index = index;
  }

  /**
   * It waits for a node that is no longer a member of its slot, or is one in another life: the connection it was asked on
   * is dropped. Then a get begins anew, under another request id: whoever is no member may be one again before it has answered.
   * Otherwise it waits on for the same ones.
   */
  waitsInVain(map: ClusterMap, previous: ClusterMap | null): boolean {
    if (this.awaited === 0) return false;
    const isGet = this.kind === OperationKind.get;
    const members = isGet ? map.slot(this.slot).replicas : map.members(this.slot);
    const isLost = this.members.some((id, i) => {
      if ((this.awaited & (1 << i)) === 0) return false;
      return !members.includes(id) || map.node(id)?.incarnation !== previous?.node(id)?.incarnation;
    });
    if (isGet) this.#follow(members, isLost);
    return isLost;
  }

  /** What a caller who gives up must not call a failure. */
  get mayBeStored(): boolean {
    if (this.kind === OperationKind.get) return false;
    return this.maybeStored || this.fullAcked || this.learnerAcked || this.awaited !== 0;
  }

  /** Forgets everything of the previous use; what is of one attempt, `beginAttempt` does. */
  reset(kind: OperationKind, key: string, slot: number, deadlineMs: number): void {
    this.kind = kind;
    this.outcome = Outcome.pending;
    this.key = key;
    this.slot = slot;
    this.deadlineMs = deadlineMs;
    this.payload = null;
    this.expiresAtMs = 0;
    this.versionOnly = false;
    this.expectAbsent = false;
    this.wantValue = false;
    this.wantTurn = false;
    this.opNumber = 0;
    this.attempts = 0;
    this.excuses = 0;
    this.pauses = 0;
    this.members = noMembers;
    this.awaited = 0;
    this.isAnswerLate = false;
    this.waitsForClock = false;
    this.forgetAttempts();
    this.present = false;
    this.applied = false;
    this.value = null;
    this.context = null;
  }

  beginAttempt(epoch: number, nowMs: number): void {
    this.attempts++;
    this.epoch = epoch;
    this.sentMs = nowMs;
    if (this.kind !== OperationKind.get) this.awaited = 0;
    this.unreached = 0;
    this.attemptFailed = false;
    this.learnerAcked = false;
    this.isRefused = false;
    this.waitsForRoom = false;
    this.waitsForLarge = false;
  }

  /** It was none: there is no room for it. */
  holdAttempt(): void {
    this.attempts--;
    this.waitsForRoom = true;
  }

  /** Where the node stands among `members`, -1: nowhere. A loop, since `indexOf` takes longer to call than to run. */
  memberIndex(nodeId: number): number {
    for (let i = 0; i < this.members.length; i++) if (this.members[i] === nodeId) return i;
    return -1;
  }

  /** The same of a node whose answer is awaited; -1: it is not. */
  awaitedIndex(nodeId: number): number {
    const index = this.memberIndex(nodeId);
    return index >= 0 && (this.awaited & (1 << index)) !== 0 ? index : -1;
  }

  /** Nothing more is awaited of that member. */
  isAnsweredBy(index: number): void {
    this.awaited &= ~(1 << index);
  }

  #follow(members: readonly number[], isNew: boolean): void {
    let awaited = 0;
    if (isNew) this.rid = 0;
    else
      this.members.forEach(
        (id, i) => (awaited |= (this.awaited & (1 << i)) === 0 ? 0 : 1 << members.indexOf(id)),
      );
    this.members = members;
    this.awaited = awaited;
  }

  takeResult(message: ValueMessage | ConditionResultMessage): void {
    this.present = message.present;
    this.value = message.value;
    copyVersion(message.version, this.version);
  }

  /** The answer of the only one that is asked. @returns false if that node is not awaited */
  takeOnlyAnswer(nodeId: number): boolean {
    if (this.awaitedIndex(nodeId) < 0) return false;
    this.awaited = 0;
    return true;
  }

  /** Requests that bear one of its request ids may still be answered. */
  get isAwaited(): boolean {
    return this.awaited !== 0 || this.isAnswerLate;
  }

  /** Decided like everything when all have answered: what others have stored, if anything, must be known. */
  noteRefusal(nodeId: number, reason: RefusedReason): void {
    this.refused = reason;
    this.refusedBy = nodeId;
    this.isRefused = true;
  }

  /** W6: starting again with a raised version. */
  forgetAttempts(): void {
    this.fullAcked = false;
    this.maybeStored = false;
  }
}
