/** Walks through all keys of the cluster, slot by slot, in bounded batches from a full replica of each. */
import { GTStoreError } from '../protocol/errors.js';
import { MessageType } from '../protocol/messages.js';
import type { EntriesMessage, Entry, Message } from '../protocol/messages.js';
import type { Connection } from '../transport/connection.js';
import { clearInterval, pause, setInterval } from '../transport/real-time.js';
import type { RequestTable } from '../transport/requests.js';
import type { ClientCore } from './core/client-core.js';

/** What of a session a walk needs. */
export interface ScanSession {
  readonly core: Pick<ClientCore, 'map' | 'wantMap'>;
  readonly requests: Pick<RequestTable, 'request'>;
  readonly isClosed: boolean;
  now(): number;
  node(nodeId: number): Connection | undefined;
}

/** How long one replica may take. */
interface Patience {
  /** Over the next batch: what is left until the slot is given up. */
  readonly leftMs: () => number;
  /** Without a byte of it, or of anything else. */
  readonly silenceMsMax: number;
}

const retryMs = 20;
/** A replica that is silent for so long is not waited for; longer with every attempt, in case that all are slow. */
const silenceMs = 1000;
/** Looks at whether something came meanwhile. Time in which this process does not run is at most one of them. */
const looksPerSilence = 4;

let lastScanId = 0;

/**
 * Committed entries whose key bytes begin with `prefix`; one whose value is undecided comes with `valid` false.
 * A slot whose replica fails is walked again at another; its keys come once all the same.
 * @throws GTStoreError UNAVAILABLE if a slot cannot be read for `timeoutMs`, CLOSED
 */
export async function* scan(session: ScanSession, prefix: string, timeoutMs: number): AsyncGenerator<Entry> {
  const slotCount = session.core.map?.slots.length ?? 0;
  for (let slot = 0; slot < slotCount; slot++) yield* scanSlot(session, slot, prefix, timeoutMs);
}

/** As `scan`, the keys of one slot. */
export async function* scanSlot(
  session: ScanSession,
  slot: number,
  prefix: string,
  timeoutMs: number,
): AsyncGenerator<Entry> {
  const seen = new Set<string>();
  let giveUpAtMs = session.now() + timeoutMs;
  const leftMs = (): number => giveUpAtMs - session.now();
  for (let attempt = 0; ; attempt++) {
    const silenceMsMax = Math.min(timeoutMs / 3, silenceMs) * 2 ** Math.min(attempt, 16);
    const walk = walkSlot(session, slot, prefix, attempt, { leftMs, silenceMsMax });
    let step = await walk.next();
    while (step.done !== true) {
      for (const entry of step.value) {
        if (seen.has(entry.key)) continue;
        seen.add(entry.key);
        yield entry;
      }
      // From here, not from before the loop: what the caller did with the entries is no time in which nobody answered.
      giveUpAtMs = session.now() + timeoutMs;
      step = await walk.next();
    }
    if (step.value) return;
    if (session.isClosed) throw new GTStoreError('CLOSED', 'the client was closed');
    if (leftMs() <= 0) {
      throw new GTStoreError('UNAVAILABLE', `slot ${slot} cannot be read: none of its replicas serves`);
    }
    session.core.wantMap();
    await pause(retryMs * (0.5 + Math.random()));
  }
}

/** Batches of one slot from one replica. @returns whether it came to the end. */
async function* walkSlot(
  session: ScanSession,
  slot: number,
  prefix: string,
  attempt: number,
  patience: Patience,
): AsyncGenerator<readonly Entry[], boolean> {
  const replicas = session.core.map?.slot(slot).replicas ?? [];
  const connection = session.node(replicas[attempt % Math.max(1, replicas.length)] ?? -1);
  if (connection === undefined) return false;
  const scanId = ++lastScanId;
  for (let first = true; ; first = false) {
    const build = (rid: number): Message => ({ type: MessageType.scan, rid, slot, scanId, first, prefix });
    const batch = await ask(session, connection, build, patience);
    if (batch === null) return false;
    yield batch.entries;
    if (batch.done) return true;
  }
}

/** The next batch, or null if this replica does not serve (any more). */
async function ask(
  session: ScanSession,
  connection: Connection,
  build: (rid: number) => Message,
  { leftMs, silenceMsMax }: Patience,
): Promise<EntriesMessage | null> {
  const { signal, end } = silenceOf(connection, silenceMsMax);
  let answer: Message;
  try {
    answer = await session.requests.request(connection, build, leftMs(), { signal });
  } catch (error) {
    // The connection broke or was dropped, or the node is silent: the next replica is asked, unless this client was closed.
    if (error instanceof GTStoreError) return null;
    throw error;
  } finally {
    end();
  }
  return answer.type === MessageType.scanBatch ? answer : null;
}

/** A signal that is aborted when nothing has come from there for so long. */
function silenceOf(connection: Connection, ms: number): { signal: AbortSignal; end: () => void } {
  const silence = new AbortController();
  let bytes = connection.bytesReceived;
  let looks = 0;
  const timer = setInterval(() => {
    looks = connection.bytesReceived === bytes ? looks + 1 : 0;
    bytes = connection.bytesReceived;
    if (looks === looksPerSilence) silence.abort();
  }, ms / looksPerSilence);
  return {
    signal: silence.signal,
    end: () => {
      clearInterval(timer);
    },
  };
}
