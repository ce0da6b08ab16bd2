/**
 * What encoding and decoding do to a message, without the bytes: the sender may reuse its object at once, the
 * receiver owns hot messages only until its handler returns. So a message is cloned when sent, and what production
 * decodes into scratch objects or network buffers is spoiled after delivery; a core that keeps it is found out.
 */
import { MessageType } from '../../src/protocol/messages.js';
import type { Entry, Message } from '../../src/protocol/messages.js';
import type { MutableVersion, Version } from '../../src/protocol/version.js';

function bytes(value: Uint8Array | null): Uint8Array | null {
  return value === null ? null : Uint8Array.from(value);
}

function version({ hlc, clientId, seq, epoch }: Version): Version {
  return { hlc, clientId, seq, epoch };
}

function list(applied: readonly number[] | null): readonly number[] | null {
  return applied === null ? null : applied.slice();
}

function entry(from: Entry): Entry {
  const { key, valid, expiresAtMs } = from;
  const { value, applied } = from;
  return {
    key,
    version: version(from.version),
    valid,
    value: bytes(value),
    expiresAtMs,
    applied: list(applied),
  };
}

export function cloneMessage(m: Message): Message {
  switch (m.type) {
    case MessageType.write:
    case MessageType.stale:
      return { ...m, version: version(m.version), value: bytes(m.value), applied: list(m.applied) };
    case MessageType.value:
    case MessageType.conditionResult:
      return { ...m, version: version(m.version), value: bytes(m.value) };
    case MessageType.condition:
      return { ...m, expected: version(m.expected), value: bytes(m.value) };
    case MessageType.copyBatch:
    case MessageType.scanBatch:
      return { ...m, entries: m.entries.map(entry) };
    default:
      // Flat, or made of values that nobody ever changes (maps).
      return { ...m };
  }
}

const spoiltNumber = -7;

function spoilVersion(v: Version): void {
  const mutable = v as MutableVersion;
  mutable.hlc = mutable.clientId = mutable.seq = mutable.epoch = spoiltNumber;
}

export function spoilMessage(m: Message): void {
  switch (m.type) {
    case MessageType.write:
    case MessageType.stale:
    case MessageType.value:
    case MessageType.conditionResult:
    case MessageType.condition:
      spoilVersion(m.type === MessageType.condition ? m.expected : m.version);
      m.value?.fill(0xee);
      (m as { value: Uint8Array | null }).value = null;
      break;
    case MessageType.copyBatch:
    case MessageType.scanBatch:
      for (const each of m.entries) each.value?.fill(0xee);
      return;
    case MessageType.ack:
    case MessageType.validate:
    case MessageType.fenced:
    case MessageType.get:
    case MessageType.refused:
      break;
    default:
      return;
  }
  if ('key' in m) (m as { key: string }).key = 'spoilt';
  if ('rid' in m) (m as { rid: number }).rid = spoiltNumber;
}

const typeNames = new Map<number, string>(Object.entries(MessageType).map(([name, type]) => [type, name]));

/** One line of a trace. */
export function describeMessage(m: Message): string {
  const fields = Object.entries(m).filter(([name]) => name !== 'type');
  const shown = fields.map(([name, value]) => `${name}=${describeField(name, value)}`);
  return `${typeNames.get(m.type) ?? '?'} ${shown.join(' ')}`;
}

function describeField(name: string, value: unknown): string {
  if (value instanceof Uint8Array) return `#${decodeWriteId(value)}`;
  if (name === 'map' && value !== null) {
    const map = value as {
      epoch: number;
      slots: readonly { replicas: readonly number[]; learners: readonly number[] }[];
    };
    const slots = map.slots.map(
      (s) => `${s.replicas.join(',')}${s.learners.length ? `+${s.learners.join(',')}` : ''}`,
    );
    return `${map.epoch}[${slots.join(' | ')}]`;
  }
  if ((name === 'version' || name === 'expected') && typeof value === 'object' && value !== null) {
    const { hlc, clientId, seq, epoch } = value as Version;
    return `${hlc % 1e9}.${clientId}.${seq}.${epoch}`;
  }
  return JSON.stringify(value);
}

/** A value that is its write id, with a check that finds spoilt bytes. */
export function encodeWriteId(id: number): Uint8Array {
  return Uint8Array.of(id & 255, id >> 8, ~id & 255, (~id >> 8) & 255);
}

/** @returns the write id, or -1 if these are not the bytes of any. */
export function decodeWriteId(value: Uint8Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = value;
  return value.length === 4 && (a ^ c) === 255 && (b ^ d) === 255 ? a + b * 256 : -1;
}
