/**
 * Reads the messages that hot-codec.ts writes.
 *
 * Nothing is allocated but keys, applied lists, entries and one view per value: each type has one scratch object,
 * overwritten by the next message of that type, and its `value` lies in the buffer it was read from. `keepMessage`
 * (codec.ts) makes a copy that lasts. Whatever is not exactly such a message is a ProtocolError; the scratch object
 * is then half overwritten, which harms nobody since it was good only until this message.
 */
import { isAppliedLength } from './applied-list.js';
import type { AppliedList } from './applied-list.js';
import { ProtocolError } from './errors.js';
import { elementCounts, entryElements, runLengthMax, wireKeyBytesMax } from './hot-codec.js';
import type { RunMessage } from './hot-codec.js';
import { ConditionStatus, FencedReason, MessageType, RefusedReason, Want, WriteKind } from './messages.js';
import type {
  AckMessage,
  ConditionMessage,
  ConditionResultMessage,
  EntriesMessage,
  Entry,
  FencedMessage,
  GetMessage,
  HotMessage,
  PingMessage,
  PongMessage,
  RefusedMessage,
  StaleMessage,
  ValidateMessage,
  ValueMessage,
  WriteMessage,
} from './messages.js';
import {
  readKey,
  readKeyView,
  readLongUint,
  readUint,
  readValue,
  readValueBuffer,
  readVersion,
} from './hot-fields.js';
import { KeyView } from './key-view.js';
import type { MsgpackReader } from './msgpack-reader.js';
import type { MutableVersion, Version } from './version.js';

/** The same message type, to be written to. */
type Scratch<M> = { -readonly [K in keyof M]: M[K] extends Version ? MutableVersion : M[K] };

/** Until somebody asks for it as a string the key stays in the frame. */
type Keyed<M> = Omit<Scratch<M>, 'key' | 'keyView'> & { readonly key: string; readonly keyView: KeyView };

/** One getter for all: two of one name would make dictionaries of the objects. */
const keyProperty = {
  enumerable: true,
  get(this: { readonly keyView: KeyView }): string {
    return this.keyView.text;
  },
};

function keyed<M extends object>(message: M): M & { readonly key: string; readonly keyView: KeyView } {
  Object.defineProperty(message, 'keyView', { value: new KeyView() });
  return Object.defineProperty(message, 'key', keyProperty) as M & { key: string; keyView: KeyView };
}

const noVersion = (): MutableVersion => ({ hlc: 0, clientId: 0, seq: 0, epoch: 0 });

/** Reads hot messages into one scratch object per type. */
export class HotDecoder {
  private readonly write: Keyed<WriteMessage> = keyed({
    type: MessageType.write,
    rid: 0,
    epoch: 0,
    kind: WriteKind.plain,
    version: noVersion(),
    value: null as Uint8Array | null,
    expiresAtMs: 0,
    applied: null as AppliedList | null,
  });
  private readonly ack: Scratch<AckMessage> = { type: MessageType.ack, rid: 0 };
  private readonly stale: Scratch<StaleMessage> = {
    type: MessageType.stale,
    rid: 0,
    version: noVersion(),
    hasEntry: false,
    value: null,
    expiresAtMs: 0,
    applied: null,
  };
  private readonly fenced: Scratch<FencedMessage> = {
    type: MessageType.fenced,
    rid: 0,
    epoch: 0,
    reason: FencedReason.oldEpoch,
  };
  private readonly validate: Scratch<ValidateMessage> = { type: MessageType.validate, rid: 0 };
  private readonly get: Keyed<GetMessage> = keyed({
    type: MessageType.get,
    rid: 0,
    versionOnly: false,
  });
  private readonly value: Scratch<ValueMessage> = {
    type: MessageType.value,
    rid: 0,
    present: false,
    version: noVersion(),
    value: null,
  };
  private readonly condition: Scratch<ConditionMessage> = {
    type: MessageType.condition,
    rid: 0,
    epoch: 0,
    opClientId: 0,
    opNumber: 0,
    retried: false,
    wants: 0,
    expectAbsent: false,
    expected: noVersion(),
    key: '',
    value: null,
    expiresAtMs: 0,
  };
  private readonly conditionResult: Scratch<ConditionResultMessage> = {
    type: MessageType.conditionResult,
    rid: 0,
    status: ConditionStatus.notApplied,
    version: noVersion(),
    present: false,
    value: null,
  };
  private readonly refused: Scratch<RefusedMessage> = {
    type: MessageType.refused,
    rid: 0,
    reason: RefusedReason.keyTooLarge,
  };
  private readonly ping: Scratch<PingMessage> = { type: MessageType.ping, rid: 0 };
  private run: Scratch<RunMessage> = this.ack;
  /** Messages of the run that was begun last which are still to be read. */
  left = 0;
  private readonly pong: Scratch<PongMessage> = { type: MessageType.pong, rid: 0 };

  /**
   * Reads what follows the type of a message of `count` array elements.
   *
   * @throws ProtocolError if it is no message of that type, or there is no such type
   */
  decode(reader: MsgpackReader, type: number, count: number): HotMessage {
    switch (type) {
      case MessageType.write: {
        expectElements(type, count);
        const message = this.write;
        message.rid = readUint(reader);
        message.epoch = readUint(reader);
        message.kind = oneOf(reader, WriteKind.replay, 'kind of write') as WriteKind;
        readVersion(reader, message.version);
        readKeyView(reader, wireKeyBytesMax, message.keyView);
        message.value = readValue(reader);
        message.expiresAtMs = readUint(reader);
        message.applied = readApplied(reader);
        return message;
      }
      case MessageType.ack:
        return this.firstOf(reader, this.ack, count);
      case MessageType.validate:
        return this.firstOf(reader, this.validate, count);
      case MessageType.ping:
        return ridOnly(reader, this.ping, count);
      case MessageType.pong:
        return ridOnly(reader, this.pong, count);
      case MessageType.stale: {
        expectElements(type, count);
        const message = this.stale;
        message.rid = readUint(reader);
        readVersion(reader, message.version);
        message.hasEntry = reader.bool();
        message.value = readValue(reader);
        message.expiresAtMs = readUint(reader);
        message.applied = readApplied(reader);
        return message;
      }
      case MessageType.fenced: {
        expectElements(type, count);
        const message = this.fenced;
        message.rid = readUint(reader);
        message.epoch = readUint(reader);
        message.reason = oneOf(reader, FencedReason.memberUnreachable, 'reason of FENCED') as FencedReason;
        return message;
      }
      case MessageType.get: {
        expectElements(type, count);
        const message = this.get;
        message.rid = readUint(reader);
        message.versionOnly = reader.bool();
        readKeyView(reader, wireKeyBytesMax, message.keyView);
        return message;
      }
      case MessageType.value: {
        expectElements(type, count);
        const message = this.value;
        message.rid = readUint(reader);
        message.present = reader.bool();
        readVersion(reader, message.version);
        message.value = readValueBuffer(reader);
        return message;
      }
      case MessageType.condition:
        return this.readCondition(reader, count);
      case MessageType.conditionResult: {
        expectElements(type, count);
        const message = this.conditionResult;
        message.rid = readUint(reader);
        message.status = oneOf(reader, ConditionStatus.unknown, 'status of a condition') as ConditionStatus;
        readVersion(reader, message.version);
        message.present = reader.bool();
        message.value = readValue(reader);
        return message;
      }
      case MessageType.refused: {
        expectElements(type, count);
        const message = this.refused;
        message.rid = readUint(reader);
        message.reason = oneOf(reader, RefusedReason.memoryLow, 'reason of REFUSED') as RefusedReason;
        return message;
      }
      case MessageType.copyBatch:
      case MessageType.scanBatch:
        return readEntries(reader, type, count);
      default:
        throw new ProtocolError(`message type ${type}, unknown here`);
    }
  }

  private firstOf(reader: MsgpackReader, message: Scratch<RunMessage>, count: number): RunMessage {
    if (count < elementCounts[message.type]) wrongCount(message.type, elementCounts[message.type], count);
    // Beside the type. A run is handed on whole.
    if (count - 1 > runLengthMax)
      throw new ProtocolError(`a run of ${count - 1} messages; the limit is ${runLengthMax}`);
    this.run = message;
    this.left = count - elementCounts[message.type];
    message.rid = readUint(reader);
    return message;
  }

  /** Reads the next message of a run; `left` says how many there are. */
  next(reader: MsgpackReader): RunMessage {
    this.left--;
    this.run.rid = readUint(reader);
    return this.run;
  }

  private readCondition(reader: MsgpackReader, count: number): ConditionMessage {
    const message = this.condition;
    expectElements(message.type, count);
    message.rid = readUint(reader);
    message.epoch = readUint(reader);
    message.opClientId = readUint(reader);
    message.opNumber = readUint(reader);
    message.retried = reader.bool();
    message.wants = oneOf(reader, Want.value + Want.turn, 'wants of a condition');
    message.expectAbsent = reader.bool();
    readVersion(reader, message.expected);
    message.key = readKey(reader, wireKeyBytesMax);
    message.value = readValue(reader);
    message.expiresAtMs = readUint(reader);
    return message;
  }
}

function expectElements(type: HotMessage['type'], count: number): void {
  if (count !== elementCounts[type]) wrongCount(type, elementCounts[type], count);
}

function wrongCount(type: number, expected: number, count: number): never {
  throw new ProtocolError(`message type ${type} has ${expected} elements, this one ${count}`);
}

/** A number from 0 to `max`. */
function oneOf(reader: MsgpackReader, max: number, what: string): number {
  const value = readUint(reader);
  if (value > max) throw new ProtocolError(`${what} ${value}, unknown here`);
  return value;
}

function ridOnly<M extends Scratch<PingMessage | PongMessage>>(
  reader: MsgpackReader,
  message: M,
  count: number,
): M {
  expectElements(message.type, count);
  message.rid = readUint(reader);
  return message;
}

export function readApplied(reader: MsgpackReader): AppliedList | null {
  if (reader.tryNil()) return null;
  const length = reader.array();
  if (!isAppliedLength(length)) throw new ProtocolError(`a list of conditional writes of ${length} numbers`);
  const applied: number[] = [];
  for (let i = 0; i < length; i++) applied.push(readLongUint(reader));
  return applied;
}

function readEntries(reader: MsgpackReader, type: EntriesMessage['type'], count: number): EntriesMessage {
  if (count < elementCounts[type]) wrongCount(type, elementCounts[type], count);
  const rid = readUint(reader);
  const done = reader.bool();
  const entries: Entry[] = [];
  for (let i = elementCounts[type]; i < count; i++) entries.push(readEntry(reader));
  return { type, rid, entries, done };
}

function readEntry(reader: MsgpackReader): Entry {
  const count = reader.array();
  if (count !== entryElements)
    throw new ProtocolError(`an entry has ${entryElements} elements, this one ${count}`);
  const key = readKey(reader, wireKeyBytesMax);
  const version = noVersion();
  readVersion(reader, version);
  return {
    key,
    version,
    valid: reader.bool(),
    value: readValue(reader),
    expiresAtMs: readUint(reader),
    applied: readApplied(reader),
  };
}
