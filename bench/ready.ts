/** `./run.sh -n 7 -k 3` in a checkout that is built: how long until it says that the store is ready. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Benchmark } from './benchmark.js';
import { largest } from './stats.js';

const runsDefault = 5;
const readyMsMax = 3000;

export const ready: Benchmark = {
  name: 'ready',
  purpose: './run.sh -n 7 -k 3, built: time to the ready line',
  async run({ root, runs, isQuick, progress }) {
    const count = runs ?? (isQuick ? 1 : runsDefault);
    progress('ready: building, if need be');
    await startAndStop(root);
    const times: number[] = [];
    for (let run = 0; run < count; run++) {
      progress(`ready, run ${run + 1} of ${count}`);
      times.push(await startAndStop(root));
    }
    const target = { text: `<= ${readyMsMax / 1000} s`, isMet: largest(times) <= readyMsMax / 1000 };
    const rows = [{ name: 'from the command to the ready line', unit: 's', runs: times, target }];
    return [{ title: 'Ready: ./run.sh -n 7 -k 3', rows, notes: [] }];
  },
};

/** @returns seconds until the ready line */
function startAndStop(root: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedAtMs = performance.now();
    const child = spawn(join(root, 'run.sh'), ['-n', '7', '-k', '3', '--port', '0'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let seconds = NaN;
    const take = (chunk: Buffer): void => {
      output += chunk.toString();
      if (!Number.isNaN(seconds) || !/^GTStore ready/m.test(output)) return;
      seconds = (performance.now() - startedAtMs) / 1000;
      child.kill('SIGTERM');
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0 && !Number.isNaN(seconds)) resolve(seconds);
      else reject(new Error(`run.sh ended with code ${code}:\n${output}`));
    });
  });
}
