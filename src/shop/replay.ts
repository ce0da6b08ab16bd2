/**
 * Replays the lines of invoices as what shoppers do to carts: each line is one read-mutate-store on the cart of its
 * invoice. The lines are dealt round-robin to the clients, so that one cart is changed by several at once; each
 * client does its lines in order, one at a time. Afterwards a new client reads every cart, and what it holds is
 * compared with the file.
 *
 * Adding a line is idempotent (invoice-cart.ts). So a failure whose outcome is unknown is resolved by looking: the
 * line is in, or it is added again. A late arrival of the abandoned attempt cannot double it: it is conditional
 * on the version it read, and either the new attempt sees the line or the old one's condition no longer holds.
 */
import { type Totals, addTotals, compareCart, expectedCarts, noTotals } from './cart-comparison.js';
import { InterruptedError, isOutcomeUnknown } from './errors.js';
import { cartKey, holdsRow, withLine } from './invoice-cart.js';
import { type InvoiceLine } from './invoice-csv.js';
import { NodeKiller, type NodeKillerOptions } from './node-killer.js';
import { type Persistence, defaultPersistence, forEachAtOnce, persist, throwFirst } from './persist.js';
import { RowGate } from './row-gate.js';
import { type CartStore, type Connect } from './store.js';

export interface ReplayOptions {
  /** How many clients share the lines, each with a session of its own. */
  readonly clients: number;
  readonly connect: Connect;
  /** Nodes to end on the way. */
  readonly kill?: Omit<NodeKillerOptions, 'rows'>;
  /** Stops it between two lines. */
  readonly signal?: AbortSignal;
  /** Called with the number of lines done, after each. */
  readonly onProgress?: (done: number) => void;
  /** How long to insist when the store fails. */
  readonly persistence?: Persistence;
}

/** What it took, counted by the clients. */
export interface Effort {
  /** Attempts that lost to a concurrent one and began again. */
  conflicts: number;
  /** Failures whose outcome had to be looked up. */
  unknown: number;
  /** Reads and stores performed: two for each attempt, one for each look. */
  operations: number;
}

export interface ReplayOutcome extends Effort {
  /** What the file comes to. */
  readonly expected: Totals & { readonly carts: number };
  /** What the carts come to that were read back. */
  readonly found: Totals & { readonly carts: number };
  /** One line for each cart that is not as the file says. */
  readonly differences: readonly string[];
  readonly killed: number;
  /** Why fewer nodes were ended than asked for. */
  readonly killProblem: string | undefined;
  /** For the lines alone, without clearing before and reading back after. */
  readonly seconds: number;
}

/** Carts cleared or read at once. */
const cartsAtOnce = 16;

/**
 * @throws UsageError if nodes are to be ended that cannot be; nothing was written then
 * @throws InterruptedError after `signal`
 */
export async function replay(lines: readonly InvoiceLine[], options: ReplayOptions): Promise<ReplayOutcome> {
  const { signal, persistence = defaultPersistence } = options;
  const how = signal === undefined ? persistence : { ...persistence, signal };
  const expected = expectedCarts(lines);
  const effort: Effort = { conflicts: 0, unknown: 0, operations: 0 };

  const clients = await openAll(options.connect, options.clients + 1);
  const [control, ...workers] = clients as [CartStore, ...CartStore[]];
  let killer: NodeKiller | undefined;
  let seconds: number;
  try {
    if (options.kill !== undefined && options.kill.count > 0) {
      killer = new NodeKiller(control, { ...options.kill, rows: lines.length });
      await killer.check();
    }
    await clearCarts(control, expected.keys(), how);

    const gate = new RowGate(killer?.firstLimit);
    const stop = (): void => gate.close();
    signal?.addEventListener('abort', stop);
    if (signal?.aborted === true) stop();
    const startedAt = performance.now();
    try {
      await playAll(lines, workers, { gate, effort, how, killer, onProgress: options.onProgress });
    } finally {
      signal?.removeEventListener('abort', stop);
    }
    seconds = (performance.now() - startedAt) / 1000;
    if (gate.isClosed) {
      throw new InterruptedError(
        `stopped: ${gate.ended} of ${lines.length} rows are in their carts, nothing was compared`,
      );
    }
  } finally {
    await closeAll(clients);
  }

  return {
    ...effort,
    ...(await compareAll(options.connect, expected, how)),
    killed: killer?.killed ?? 0,
    killProblem: killer?.problem,
    seconds,
  };
}

async function openAll(connect: Connect, count: number): Promise<CartStore[]> {
  const results = await Promise.allSettled(Array.from({ length: count }, () => connect()));
  const opened = results.filter((result) => result.status === 'fulfilled').map((result) => result.value);
  if (opened.length < count) await closeAll(opened);
  throwFirst(results);
  return opened;
}

/** What has been stored is stored: a session that does not end cleanly changes no result. */
async function closeAll(clients: readonly CartStore[]): Promise<void> {
  await Promise.allSettled(clients.map((client) => client.finalize()));
}

/**
 * Carts of an earlier run would look like lines added twice. Deleting again after an unknown outcome also puts
 * the abandoned delete in the past, so that it cannot take away lines added later.
 */
async function clearCarts(store: CartStore, invoices: Iterable<string>, how: Persistence): Promise<void> {
  await forEachAtOnce(invoices, cartsAtOnce, async (invoice) => {
    await unlessStopped(how, 'stopped before the first row', () => store.delete(cartKey(invoice)));
  });
}

/** As `persist`. @throws InterruptedError once it is stopped, whatever the last attempt failed with */
async function unlessStopped<T>(how: Persistence, text: string, attempt: () => Promise<T>): Promise<T> {
  const isStopped = (): boolean => how.signal?.aborted === true;
  if (isStopped()) throw new InterruptedError(text);
  try {
    return await persist(how, attempt);
  } catch (error) {
    throw isStopped() ? new InterruptedError(text) : error;
  }
}

interface Play {
  readonly gate: RowGate;
  readonly effort: Effort;
  readonly how: Persistence;
  readonly killer: NodeKiller | undefined;
  readonly onProgress: ((done: number) => void) | undefined;
}

async function playAll(
  lines: readonly InvoiceLine[],
  workers: readonly CartStore[],
  play: Play,
): Promise<void> {
  const work = workers.map(async (store, first) => {
    for (let index = first; index < lines.length; index += workers.length) {
      const line = lines[index];
      if (line === undefined || !(await play.gate.begin())) return;
      try {
        await addToCart(store, line, play.how, play.effort);
      } catch (error) {
        const wasStopped = play.how.signal?.aborted === true;
        // One failure ends the run for all.
        play.gate.close();
        if (wasStopped) return;
        throw error;
      }
      play.gate.end();
      play.onProgress?.(play.gate.ended);
    }
  });
  throwFirst(await Promise.allSettled([...work, play.killer?.run(play.gate)]));
}

/** Adds one line to the cart of its invoice, once, whatever fails on the way. */
export async function addToCart(
  store: Pick<CartStore, 'get' | 'update'>,
  line: InvoiceLine,
  how: Persistence,
  effort: Effort,
): Promise<void> {
  const key = cartKey(line.invoice);
  let mayBeIn = false;
  await persist(how, async () => {
    if (mayBeIn) {
      effort.operations += 1;
      if (holdsRow(await store.get(key), line.row)) return;
      mayBeIn = false;
    }
    let attempts = 0;
    try {
      await store.update(key, (cart) => {
        attempts += 1;
        return withLine(cart, line);
      });
    } catch (error) {
      mayBeIn = isOutcomeUnknown(error);
      if (mayBeIn) effort.unknown += 1;
      throw error;
    } finally {
      effort.operations += 2 * attempts;
      effort.conflicts += Math.max(0, attempts - 1);
    }
  });
}

async function compareAll(
  connect: Connect,
  expectedByInvoice: ReturnType<typeof expectedCarts>,
  how: Persistence,
): Promise<Pick<ReplayOutcome, 'expected' | 'found' | 'differences'>> {
  const expected = { ...noTotals(), carts: expectedByInvoice.size };
  const found = { ...noTotals(), carts: 0 };
  const differences: string[] = [];
  const store = await connect();
  try {
    await forEachAtOnce(expectedByInvoice, cartsAtOnce, async ([invoice, cart]) => {
      const stored = await unlessStopped(how, 'stopped while the carts were compared', () =>
        store.get(cartKey(invoice)),
      );
      const compared = compareCart(cart, stored);
      addTotals(expected, cart);
      addTotals(found, compared.found);
      if (stored !== undefined) found.carts += 1;
      if (compared.difference !== undefined) differences.push(`${cartKey(invoice)} ${compared.difference}`);
    });
  } finally {
    await closeAll([store]);
  }
  return { expected, found, differences };
}
