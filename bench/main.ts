/**
 * npm run bench -- [names] [options]
 *
 * Runs the named benchmarks, or all, one after the other; prints a table for each and one for the README. Exit code 1
 * if a benchmark could not be carried out or found the store wrong; a missed target is only printed.
 */
import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { BenchOptions, Benchmark, Section } from './benchmark.js';
import { failover, pause } from './outage.js';
import { circumstances, describe, formatMarkdown, formatTable, resultsOf, save } from './report.js';
import { ready } from './ready.js';
import { replay } from './replay.js';
import { restore } from './restore.js';
import { store } from './store.js';
import { floor, throughput } from './throughput.js';

const benchmarks: readonly Benchmark[] = [floor, throughput, failover, pause, restore, ready, replay, store];

const root = checkout(dirname(fileURLToPath(import.meta.url)));

/** The folder of package.json, from wherever the compiled file lies below it. */
function checkout(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : checkout(dirname(folder));
}

const usage = `npm run bench -- [${benchmarks.map(({ name }) => name).join('|')} ...] [options]

${benchmarks.map(({ name, purpose }) => `  ${name.padEnd(12)}${purpose}`).join('\n')}

  --runs N      how often each measurement is repeated
  --seconds S   length of one throughput run; default 2
  --kills N     nodes killed by failover; default 20
  --file CSV    invoices for replay; default the day in examples/
  --json        print the results as JSON, and nothing else on stdout
  --save        also keep them in bench/results/
`;

function options() {
  return parseArgs({
    allowPositionals: true,
    options: {
      runs: { type: 'string' },
      seconds: { type: 'string', default: '2' },
      kills: { type: 'string', default: '20' },
      file: { type: 'string', default: join(root, 'examples', 'online-retail-2010-12-01.csv') },
      json: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new Error(`--${name} ${text}: give a number above 0`);
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
    runs: values.runs === undefined ? undefined : Math.ceil(positive('runs', values.runs)),
    seconds: positive('seconds', values.seconds),
    kills: Math.ceil(positive('kills', values.kills)),
    file: values.file,
    progress,
  };
  const where = circumstances();
  if (!values.json) process.stdout.write(`${describe(where)}\n\n`);
  const sections: Section[] = [];
  for (const benchmark of chosen) {
    const found = await benchmark.run(bench);
    progress('');
    if (!values.json) for (const section of found) process.stdout.write(`${formatTable(section)}\n`);
    sections.push(...found);
  }
  const results = resultsOf(sections, where);
  if (values.json) process.stdout.write(`${JSON.stringify(results, undefined, 2)}\n`);
  else process.stdout.write(`${formatMarkdown(sections, where)}\n`);
  if (values.save) {
    const path = save(results, join(root, 'bench', 'results'));
    process.stderr.write(`saved to ${relative(process.cwd(), path)}\n`);
  }
}

main().then(
  // With the code that a benchmark may have set.
  () => process.exit(),
  (error: unknown) => {
    progress('');
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  },
);
