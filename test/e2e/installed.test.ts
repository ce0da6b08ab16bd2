// Commands of the package as it is installed in somebody's project, not of this checkout.
import { expect } from 'chai';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root, run } from './command.js';

describe('gtstore, installed in a project', function () {
  this.timeout(60_000);
  let project: string;
  let installed: string;

  before(() => {
    project = mkdtempSync(join(tmpdir(), 'gtstore-installed-'));
    writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'a-shop', version: '9.9.9' }));
    const modules = join(project, 'node_modules');
    mkdirSync(modules);
    for (const name of readdirSync(join(root, 'node_modules')))
      if (name !== 'yargs') symlinkSync(join(root, 'node_modules', name), join(modules, name));
    // Copied: it asks where its own files lie.
    cpSync(join(root, 'node_modules/yargs'), join(modules, 'yargs'), { recursive: true });
    installed = join(modules, 'gtstore');
    cpSync(join(root, 'dist'), join(installed, 'dist'), { recursive: true });
    cpSync(join(root, 'package.json'), join(installed, 'package.json'));
  });
  after(() => rmSync(project, { recursive: true }));

  it('--version tells the version of gtstore, not that of the project', async () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    const { stdout, stderr, code } = await run(join(installed, 'dist/cli/main.js'), ['--version']);
    expect({ stdout, stderr, code }).to.deep.equal({ stdout: `${version}\n`, stderr: '', code: 0 });
  });
});
