/**
 * `test_app replay` of an invoice file against a cluster of its own: 16 clients, 2 nodes killed on the way, every cart
 * compared with the file afterwards.
 */
import { execFile } from 'node:child_process';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startCluster } from '../src/testing/index.js';
import type { Benchmark, Row } from './benchmark.js';
import { largest } from './stats.js';

const nodes = 7;
const replicas = 3;
const clients = 16;
const kills = 2;
const runsDefault = 3;
const testApp = fileURLToPath(new URL('../src/shop/main.js', import.meta.url));

/** What `test_app replay --json` prints, as far as it is shown here. */
interface Summary {
  readonly rows: number;
  readonly carts: number;
  readonly conflicts: number;
  readonly unknown: number;
  readonly killed: number;
  readonly mismatches: number;
  readonly seconds: number;
  readonly opsPerSecond: number;
}

export const replay: Benchmark = {
  name: 'replay',
  purpose: 'real invoices by 16 clients while 2 nodes are killed: time, and that every cart is right',
  async run({ file, runs = runsDefault, progress }) {
    const summaries: Summary[] = [];
    for (let run = 0; run < runs; run++) {
      progress(`replay, run ${run + 1} of ${runs}`);
      summaries.push(await replayOnce(file));
    }
    const [{ rows: lines, carts } = { rows: 0, carts: 0 }] = summaries;
    const numbers = (field: keyof Summary): number[] => summaries.map((summary) => summary[field]);
    const mismatches = numbers('mismatches');
    const isRight = largest(mismatches) === 0 && summaries.every(({ killed }) => killed === kills);
    if (!isRight) process.exitCode = 1;
    const rows: Row[] = [
      { name: 'time of the rows', unit: 's', runs: numbers('seconds') },
      { name: 'reads and stores', unit: 'op/s', runs: numbers('opsPerSecond') },
      { name: 'conflicts', unit: '', runs: numbers('conflicts') },
      { name: 'outcomes looked up', unit: '', runs: numbers('unknown') },
      { name: 'nodes killed', unit: '', runs: numbers('killed') },
      { name: 'mismatches', unit: '', runs: mismatches, target: { text: '0', isMet: isRight } },
    ];
    const title = `Replay: ${basename(file)}, ${clients} clients, ${kills} kills`;
    return [{ title, rows, notes: [`${lines} rows, ${carts} carts; ${nodes} nodes, K = ${replicas}`] }];
  },
};

async function replayOnce(file: string): Promise<Summary> {
  await using cluster = await startCluster({ nodes, replicas });
  const args = [testApp, 'replay', file, '--manager', cluster.url, '--json'];
  const options = ['--clients', String(clients), '--kill', String(kills)];
  const { stdout } = await run(process.execPath, [...args, ...options]);
  return JSON.parse(stdout) as Summary;
}

/** Exit code 1 means mismatches: the summary says so. */
async function run(command: string, args: readonly string[]): Promise<{ stdout: string }> {
  try {
    return await promisify(execFile)(command, args, { maxBuffer: 2 ** 24 });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    if (stdout.startsWith('{')) return { stdout };
    throw new Error(`test_app replay failed: ${stderr}`, { cause: error });
  }
}
