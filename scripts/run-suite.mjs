// Runs mocha once for each suite named, on the compiled tests; a suite without tests is skipped.
//
//   node scripts/run-suite.mjs unit sim            whole suites
//   node scripts/run-suite.mjs unit -g 'W4'        what follows the names goes to mocha
//
// A suite ends by itself or it has failed: what still holds its process after the last test is a leak, and is named.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const mocha = createRequire(import.meta.url).resolve('mocha/lib/cli/cli.js');
const ending = join(root, 'scripts', 'test-ending.mjs');
/** No suite takes half as long on a slow machine; one that does stands still. */
const suiteMsMax = 20 * 60_000;
const args = process.argv.slice(2);
const firstOption = args.findIndex((arg) => arg.startsWith('-'));
const suites = firstOption < 0 ? args : args.slice(0, firstOption);
const options = firstOption < 0 ? [] : args.slice(firstOption);
if (process.env.CI) options.push('--forbid-only');

for (const suite of suites) {
  const folder = join(root, 'build', 'test', suite);
  const files = existsSync(folder)
    ? readdirSync(folder, { recursive: true })
        .filter((name) => name.endsWith('.test.js'))
        .sort()
        .map((name) => join(folder, name))
    : [];
  if (files.length === 0) {
    console.log(`${suite}: no tests`);
    continue;
  }
  console.log(`${suite}: ${files.length} files`);
  const { status, error } = spawnSync(
    process.execPath,
    ['--enable-source-maps', mocha, '--require', ending, ...options, ...files],
    { cwd: root, stdio: 'inherit', timeout: suiteMsMax, killSignal: 'SIGKILL' },
  );
  if (error) console.error(`${suite}: ${error.message}`);
  if (status !== 0) {
    process.exitCode = status ?? 1;
    break;
  }
}
