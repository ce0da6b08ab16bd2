// All that `npm test` does before the first test, as scripts of package.json. ESLint, which looks at types, takes as long as
// everything else, so it runs beside that. What a script says is shown when it has ended.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { outputOf } from './output-of.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const lanes = [['build', 'build:test', 'check:imports', 'format:check'], ['lint']];

/** @returns whether it found nothing wrong */
async function run(script) {
  const child = spawn('npm', ['run', '--silent', script], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
  });
  const { code, signal, output } = await outputOf(child);
  process.stdout.write(output);
  if (code !== 0) console.error(`npm run ${script}: ${signal ?? `exit ${code}`}`);
  return code === 0;
}

/** One after the other; none after one that has failed. */
async function runAll(scripts) {
  for (const script of scripts) if (!(await run(script))) return false;
  return true;
}

const results = await Promise.all(lanes.map(runAll));
process.exitCode = results.every(Boolean) ? 0 : 1;
