/** `test_app replay FILE.csv`: from the file to the printed result. */
import { createReadStream } from 'node:fs';
import { UsageError } from './errors.js';
import { type InvoiceLine, readInvoiceLines } from './invoice-csv.js';
import { formatPounds } from './money.js';
import { type Screen, progressBar } from '../terminal/progress-bar.js';
import { type ReplayOptions, type ReplayOutcome, replay } from './replay.js';

export interface ReplayCommandOptions extends Omit<ReplayOptions, 'onProgress'> {
  readonly file: string;
  /** Print one JSON object instead of a table. */
  readonly json: boolean;
  readonly output: Pick<Screen, 'write'>;
  readonly errors: Screen;
}

const differencesShownMax = 10;

/**
 * Runs it and prints the result; resolves to the exit code: 0 only if every cart is as the file says and as many
 * nodes were ended as asked for.
 * @throws UsageError for a bad file, before anything is written
 */
export async function runReplay(options: ReplayCommandOptions): Promise<number> {
  const { file, json, output, errors } = options;
  const lines = await readFile(file);
  const bar = progressBar(errors, 'replaying', lines.length);
  let outcome: ReplayOutcome;
  try {
    outcome = await replay(lines, { ...options, onProgress: (done) => bar.show(done) });
  } finally {
    bar.clear();
  }

  output.write(json ? `${JSON.stringify(summary(outcome))}\n` : table(outcome));
  for (const difference of outcome.differences.slice(0, differencesShownMax)) errors.write(`${difference}\n`);
  const unshown = outcome.differences.length - differencesShownMax;
  if (unshown > 0) errors.write(`and ${unshown} more carts that are not as the file says\n`);
  const isShort = outcome.killed < (options.kill?.count ?? 0);
  if (isShort) {
    const why = outcome.killProblem ?? 'the replay ended before';
    errors.write(`ended ${outcome.killed} of ${options.kill?.count ?? 0} nodes: ${why}\n`);
  }
  return outcome.differences.length > 0 || isShort ? 1 : 0;
}

async function readFile(file: string): Promise<InvoiceLine[]> {
  const lines: InvoiceLine[] = [];
  for await (const line of readInvoiceLines(createReadStream(file), file)) lines.push(line);
  if (lines.length === 0) throw new UsageError(`${file}: a header and no rows`);
  return lines;
}

/** The result as `--json` prints it; rows to revenue are what was read back from the store. */
export interface ReplaySummary {
  readonly rows: number;
  readonly carts: number;
  readonly quantity: number;
  /** Pounds, to the penny. */
  readonly revenue: number;
  readonly conflicts: number;
  readonly unknown: number;
  readonly killed: number;
  readonly mismatches: number;
  /** For the rows alone. */
  readonly seconds: number;
  /** Reads and stores performed, per second. */
  readonly opsPerSecond: number;
}

function summary(outcome: ReplayOutcome): ReplaySummary {
  const { found, conflicts, unknown, killed, seconds } = outcome;
  return {
    rows: found.lines,
    carts: found.carts,
    quantity: found.quantity,
    // The double nearest to an amount in pennies prints as that amount again, up to 10^13 pounds.
    revenue: Number(formatPounds(found.revenue)),
    conflicts,
    unknown,
    killed,
    mismatches: outcome.differences.length,
    seconds: Math.round(seconds * 1000) / 1000,
    opsPerSecond: Math.round(outcome.operations / Math.max(seconds, 0.001)),
  };
}

function table(outcome: ReplayOutcome): string {
  const { expected, found } = outcome;
  const { conflicts, unknown, killed, mismatches, seconds, opsPerSecond } = summary(outcome);
  const rows: readonly (readonly [string, string, string?])[] = [
    ['', 'store', 'file'],
    ['rows', String(found.lines), String(expected.lines)],
    ['carts', String(found.carts), String(expected.carts)],
    ['quantity', String(found.quantity), String(expected.quantity)],
    ['revenue', formatPounds(found.revenue), formatPounds(expected.revenue)],
    ['conflicts', String(conflicts)],
    ['unknown', String(unknown)],
    ['killed', String(killed)],
    ['mismatches', String(mismatches)],
    ['seconds', String(seconds)],
    ['opsPerSecond', String(opsPerSecond)],
  ];
  return rows
    .map(([name, ...cells]) => `${name.padEnd(12)}${cells.map((cell) => cell?.padStart(16)).join('')}\n`)
    .join('');
}
