/** Opening of the database in a directory, and what it says about itself. */
import type { Buffer } from 'node:buffer';
import { statfs } from 'node:fs/promises';
import type { Database } from './batch.js';
import {
  batchKey,
  clockKey,
  contentOf,
  Corruption,
  firstRecordKey,
  formatKey,
  formatVersion,
  identityKey,
  readMeta,
  slotOfSlotKey,
} from './format.js';

/**
 * Of so many bytes LevelDB makes a table of level 0, of which it may merge twelve at once, with all of level 1: some 90 MB, and on a small
 * disk 30. So much has to be in the reserve for each node (free-space.ts) beside what it replaces. Large values are written up to
 * 40 % slower with the smaller one, since more is merged.
 */
const writeBufferBytes = 4 * 1024 * 1024;
const writeBufferBytesOnSmall = 1024 * 1024;
const smallDiskBytes = 1024 * 1024 * 1024;

/** Another process has the directory open. */
export class DirectoryLocked extends Error {
  override readonly name = 'DirectoryLocked';
}

/** What is there is whole, as far as can be told, and not for this version to judge: it is left alone. */
export class OtherFormat extends Error {
  override readonly name = 'OtherFormat';
}

export interface DiskIdentity {
  readonly clusterId: string;
  readonly nodeId: number;
}

export interface SlotState {
  readonly generation: number;
  /** Epoch of joining, of a slot that is held whole; else -1. */
  readonly joinedAt: number;
}

export interface Meta {
  /** Whether nothing has ever been written. */
  readonly isNew: boolean;
  readonly identity: DiskIdentity | null;
  readonly batch: number;
  readonly clockUs: number;
  readonly slots: ReadonlyMap<number, SlotState>;
}

/** @throws Corruption, DirectoryLocked, or an error that says what the system had against it */
export async function openDatabase(directory: string): Promise<Database> {
  const { ClassicLevel } = await import('classic-level');
  const db = new ClassicLevel<Buffer, Buffer>(directory, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    // What is stored is the user's, and often compressed already; and files are read without it (check.ts).
    compression: false,
    writeBufferSize: await writeBufferBytesIn(directory),
  });
  try {
    await db.open();
  } catch (error) {
    throw explained(error, directory);
  }
  return db;
}

async function writeBufferBytesIn(directory: string): Promise<number> {
  const disk = await statfs(directory).catch(() => null);
  const isSmall = disk !== null && disk.blocks * disk.bsize < smallDiskBytes;
  return isSmall ? writeBufferBytesOnSmall : writeBufferBytes;
}

/** Changes nothing there. @throws DirectoryLocked */
export async function assertUnlocked(directory: string): Promise<void> {
  const { ClassicLevel } = await import('classic-level');
  const db = new ClassicLevel(directory, { createIfMissing: false, errorIfExists: true });
  try {
    // Fails in any case: there is a database, which it must not be, or none, which must be. It takes the lock before.
    await db.open();
    await db.close();
  } catch (error) {
    if (isLocked(error)) throw explained(error, directory);
  }
}

function causeOf(error: unknown): { code?: unknown; message: string } {
  const { cause } = error as { cause?: unknown };
  return (cause ?? error) as { code?: unknown; message: string };
}

function isLocked(error: unknown): boolean {
  return causeOf(error).code === 'LEVEL_LOCKED';
}

function explained(error: unknown, directory: string): Error {
  const cause = causeOf(error);
  if (isLocked(error)) {
    const text = `${directory} is in use by another process: end it, or give this one a directory of its own`;
    return new DirectoryLocked(text, { cause: error });
  }
  if (cause.code === 'LEVEL_CORRUPTION') return new Corruption(cause.message, { cause: error });
  return new Error(cause.message, { cause: error });
}

/** What LevelDB says of a read that failed, as an error to be thrown. */
export function readError(error: unknown): unknown {
  const { code, message } = causeOf(error);
  return code === 'LEVEL_CORRUPTION' ? new Corruption(message, { cause: error }) : error;
}

/** @throws Corruption, OtherFormat */
export async function readAllMeta(db: Database): Promise<Meta> {
  const meta = { isNew: true, identity: null as DiskIdentity | null, batch: 0, clockUs: 0 };
  const slots = new Map<number, SlotState>();
  const entries = await db
    .iterator({ lt: firstRecordKey })
    .all()
    .catch((error: unknown) => {
      throw readError(error);
    });
  // Before anything is read of which another version may have another notion.
  if (entries.length > 0) checkFormat(entries.find(([key]) => key.equals(formatKey)));
  for (const [key, value] of entries) {
    meta.isNew = false;
    const [first = 0, second = 0] = key.equals(identityKey) ? [] : numbersOf(key, value);
    if (key.equals(formatKey)) continue;
    if (key.equals(batchKey)) meta.batch = first;
    else if (key.equals(clockKey)) meta.clockUs = first;
    else if (key.equals(identityKey)) meta.identity = identityOf(contentOf(key, value));
    else slots.set(slotOfSlotKey(key), { generation: first, joinedAt: second - 1 });
  }
  return { ...meta, slots };
}

function checkFormat(entry: readonly [Buffer, Buffer] | undefined): void {
  if (entry === undefined) throw new Corruption('it does not say of which format it is');
  const [format = 0] = numbersOf(...entry);
  if (format === formatVersion) return;
  throw new OtherFormat(`written by another version of gtstore: format ${format}, not ${formatVersion}`);
}

function numbersOf(key: Buffer, value: Buffer): number[] {
  return readMeta(key, value, slotOfSlotKey(key) === -1 ? 1 : 2);
}

function identityOf(content: Buffer): DiskIdentity {
  const [clusterId, nodeId] = JSON.parse(content.toString('utf8')) as [string, number];
  return { clusterId, nodeId };
}

export function identityContent({ clusterId, nodeId }: DiskIdentity): string {
  return JSON.stringify([clusterId, nodeId]);
}
