/**
 * npm run bench -- [names] [options]
 *
 * Runs the named benchmarks, or all, one after the other; prints a table for each and writes JSON and a page with
 * plots. Exit code 1 if a benchmark could not be carried out or found the store wrong; a missed target is only
 * printed.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { positive, positiveCount } from './arguments.js';
import type { BenchOptions, Benchmark, Section } from './benchmark.js';
import { benchmarks } from './benchmarks.js';
import { checkout } from './checkout.js';
import { formatHtml } from './html-report.js';
import { draw } from './plot.js';
import { circumstances, describe, formatTable, load, resultsOf, save } from './report.js';
import type { Results } from './report.js';

const root = checkout();

const usage = `npm run bench -- [${benchmarks.map(({ name }) => name).join('|')} ...] [options]

${benchmarks.map(({ name, purpose }) => `  ${name.padEnd(15)}${purpose}`).join('\n')}

  --runs N      how often each measurement is repeated
  --seconds S   length of one throughput run; default 2, quick 0.1
  --keys N      keys of memory, million-keys, catch-up, restart and rebalance; default as each is meant
  --kills N     nodes killed by failover; default 20
  --file CSV    invoices for replay; default the day in examples/
  --quick       only see that everything works; the figures mean nothing
  --json        print the results as JSON, and nothing else on stdout
  --save        keep them in bench/results/ and docs/figures/, for npm run bench:docs

JSON and a page with plots are in bench/results/latest/ afterwards, or, of quick runs, nowhere.
`;

function options() {
  return parseArgs({
    allowPositionals: true,
    options: {
      runs: { type: 'string' },
      seconds: { type: 'string' },
      keys: { type: 'string' },
      kills: { type: 'string', default: '20' },
      file: { type: 'string', default: join(root, 'examples', 'online-retail-2010-12-01.csv') },
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
}

function named(name: string): Benchmark {
  const benchmark = benchmarks.find((each) => each.name === name);
  if (benchmark === undefined) throw new Error(`there is no benchmark '${name}'\n\n${usage}`);
  return benchmark;
}

const isShown = process.stderr.isTTY;

function progress(text: string): void {
  if (isShown) process.stderr.write(`\r\u001b[K${text}`);
}

async function main(): Promise<void> {
  const { values, positionals } = options();
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  const chosen = positionals.length === 0 ? benchmarks : positionals.map(named);
  const bench: BenchOptions = {
    root,
    runs: values.runs === undefined ? undefined : positiveCount('runs', values.runs),
    seconds: positive('seconds', values.seconds ?? (values.quick ? '0.1' : '2')),
    keys: values.keys === undefined ? undefined : positiveCount('keys', values.keys),
    kills: positiveCount('kills', values.kills),
    file: values.file,
    isQuick: values.quick,
    progress,
  };
  const where = circumstances({ runs: bench.runs, seconds: bench.seconds });
  if (!values.json) process.stdout.write(`${describe(where)}\n\n`);
  const results = new Map<string, Results>();
  const sections: Section[] = [];
  for (const benchmark of chosen) {
    const found = await benchmark.run(bench).catch((error: unknown) => failed(benchmark, error));
    progress('');
    if (!values.json) for (const section of found) process.stdout.write(`${formatTable(section)}\n`);
    sections.push(...found);
    // What was skipped or failed shall not take the place of what was measured before.
    if (found.some(({ rows }) => rows.length > 0)) results.set(benchmark.name, resultsOf(found, where));
    if (!values.quick) keep(results, values.save);
  }
  if (values.json) process.stdout.write(`${JSON.stringify(resultsOf(sections, where), undefined, 2)}\n`);
}

/** The others are still measured. */
function failed({ name }: Benchmark, error: unknown): Section[] {
  progress('');
  process.stderr.write(
    `${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  process.exitCode = 1;
  return [{ title: name, rows: [], notes: [`could not be measured: ${String(error)}`] }];
}

/** After each benchmark: a later one may fail, or take too long for who waits. */
function keep(results: ReadonlyMap<string, Results>, isToBeSaved: boolean): void {
  const kept = join(root, 'bench', 'results');
  const latest = join(kept, 'latest');
  save(results, latest);
  writeFileSync(join(latest, 'report.html'), formatHtml([...load(latest).values()]));
  if (!isToBeSaved) return;
  save(results, kept);
  writeFileSync(join(kept, 'report.html'), formatHtml([...load(kept).values()]));
  const figures = join(root, 'docs', 'figures');
  mkdirSync(figures, { recursive: true });
  for (const { sections } of results.values()) {
    for (const { figures: ofSection = [] } of sections) {
      for (const { name, chart } of ofSection) writeFileSync(join(figures, `${name}.svg`), draw(chart));
    }
  }
}

// Cluster, servers and temporary folders are cleared away when the process exits, but not when a signal ends it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

main().then(
  // With the code that a benchmark may have set.
  () => process.exit(),
  (error: unknown) => {
    progress('');
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  },
);
