// tsc, and what tsc leaves undone: outputs whose source is gone are removed (a deleted test must not run on), the
// commands become executable and known to npx, and a stamp carries the time at which the build began, for run.sh.
//
//   node scripts/build.mjs          src/ into dist/
//   node scripts/build.mjs --test   everything into build/, for mocha
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const forTests = process.argv.includes('--test');
const [project, outDir, sourceDir] = forTests
  ? ['tsconfig.json', join(root, 'build'), root]
  : ['tsconfig.build.json', join(root, 'dist'), join(root, 'src')];
const startedAt = new Date();

removeOrphans();
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const { status } = spawnSync(process.execPath, [tsc, '-p', project], { cwd: root, stdio: 'inherit' });
for (const [name, command] of [
  ['gtstore', 'cli/main.js'],
  ['test_app', 'shop/main.js'],
]) {
  const path = join(outDir, forTests ? 'src' : '', command);
  if (!existsSync(path)) continue;
  chmodSync(path, 0o755);
  if (!forTests && process.platform !== 'win32') linkBin(name, path);
}
if (status === 0) {
  const stamp = join(outDir, '.built');
  writeFileSync(stamp, '');
  utimesSync(stamp, startedAt, startedAt);
}
process.exitCode = status ?? 1;

/** npm links the commands of dependencies only; `npx gtstore` in this checkout shall find ours, too. */
function linkBin(name, path) {
  const bin = join(root, 'node_modules', '.bin');
  const target = relative(bin, path);
  const link = join(bin, name);
  if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) {
    if (readlinkSync(link) === target) return;
    rmSync(link);
  }
  symlinkSync(target, link);
}

function removeOrphans() {
  if (!existsSync(outDir)) return;
  for (const entry of readdirSync(outDir, { recursive: true, withFileTypes: true })) {
    const output = /^(.*?)(\.d)?\.(js|ts)(\.map)?$/.exec(entry.name);
    if (!entry.isFile() || output === null) continue;
    const source = join(sourceDir, relative(outDir, entry.parentPath), `${output[1]}.ts`);
    if (!existsSync(source)) rmSync(join(entry.parentPath, entry.name));
  }
}
