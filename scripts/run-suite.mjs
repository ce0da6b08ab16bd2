// Runs the compiled tests of each suite named; a suite without tests is skipped. The unit tests are dealt to three mochas. Of the
// other suites two or three files run at a time, each in a mocha of its own: most of them wait for processes to start and to end. Those
// that say how long the store may take for something run before that, alone.
//
//   node scripts/run-suite.mjs unit sim            whole suites
//   node scripts/run-suite.mjs unit -g 'W4'        what follows the names goes to mocha
//
// A suite ends by itself or it has failed: what still holds its process after the last test is a leak, and is named.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { outputOf } from './output-of.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const mocha = createRequire(import.meta.url).resolve('mocha/lib/cli/cli.js');
const always = ['--enable-source-maps', mocha, '--require', join(root, 'scripts', 'test-ending.mjs')];
/** No suite takes half as long on a slow machine; one that does stands still. */
const suiteMsMax = 20 * 60_000;
const args = process.argv.slice(2);
const firstOption = args.findIndex((arg) => arg.startsWith('-'));
const suites = firstOption < 0 ? args : args.slice(0, firstOption);
const options = firstOption < 0 ? [] : args.slice(firstOption);
if (process.env.CI) options.push('--forbid-only');

/** Suites of many small files, and how many mochas share them. */
const shares = { unit: 3 };
/** Suites whose files run beside each other, and how many at a time. */
const filesAtOnce = { sim: 2, cluster: 3, e2e: 2 };
/** Files of these suites that would measure their neighbours, too. */
const timedFiles = {
  cluster: ['hostile', 'hosts', 'hot-key', 'kill', 'linearizability', 'manager-away', 'pause'],
};
/** Files that take longest begin first: one of them that began last would run on alone. */
const longFiles = {
  cluster: ['tasks', 'links', 'disk-restart', 'snapshot', 'disk-waits'],
  e2e: ['growing', 'data-dir', 'commands', 'bench', 'durability'],
};
/** Of files without any test that the options ask for. */
const nothing = /^\s*0 passing \(\d+\w+\)\s*$/;

/** Shows what mocha says as it comes, or all of it when it has ended. @returns its exit code */
async function runMocha(files, isBuffered) {
  const child = spawn(
    process.execPath,
    [...always, ...(isBuffered && process.stdout.isTTY ? ['--color'] : []), ...options, ...files],
    {
      cwd: root,
      stdio: isBuffered ? ['inherit', 'pipe', 'pipe'] : 'inherit',
      timeout: suiteMsMax,
      killSignal: 'SIGKILL',
    },
  );
  const { code, signal, output } = await outputOf(child);
  if (signal !== null) console.error(`The tests were ended by ${signal}.`);
  if (!nothing.test(output)) process.stdout.write(output);
  return code ?? 1;
}

/** Deals the files out; the first share shows how it goes. @returns the highest exit code */
async function runShares(files, count) {
  const hands = Array.from({ length: count }, (_, hand) => files.filter((_, i) => i % count === hand));
  const codes = await Promise.all(hands.map((hand, i) => runMocha(hand, i > 0)));
  return Math.max(...codes);
}

/** @returns the highest exit code */
async function runSuite(suite, files) {
  const atOnce = filesAtOnce[suite];
  if (atOnce === undefined) return runShares(files, shares[suite] ?? 1);
  const fileOf = (name) => join(root, 'build', 'test', suite, `${name}.test.js`);
  const timed = (timedFiles[suite] ?? []).map(fileOf);
  let worst = timed.length > 0 ? await runMocha(timed, false) : 0;
  const long = (longFiles[suite] ?? []).map(fileOf);
  const left = [...new Set([...long, ...files])].filter((file) => !timed.includes(file));
  const work = async () => {
    for (let file = left.shift(); file !== undefined; file = left.shift()) {
      const code = await runMocha([file], true);
      // Not in one line: what it was before this file must not come back over what another has made of it meanwhile.
      worst = Math.max(worst, code);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return worst;
}

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
  const code = await runSuite(suite, files);
  if (code !== 0) {
    console.log(`${suite}: failed, see above`);
    process.exitCode = code;
    break;
  }
}
