// What both programs look at before and after yargs: options that are on or off, and whether there is a directory to work in.
import { expect } from 'chai';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import yargs from 'yargs';
import { oddSwitch } from '../../src/terminal/switches.js';
import { workingDirectoryProblem } from '../../src/terminal/working-directory.js';

function problemOf(...args: string[]): string | undefined {
  const options = yargs(args)
    .option('respawn', { type: 'boolean', default: true })
    .option('json-value', { type: 'boolean' })
    .option('host', { type: 'string' })
    .help(false)
    .exitProcess(false);
  return oddSwitch(args, options.parseSync());
}

describe('an option that is on or off', () => {
  for (const [arg, text] of [
    ['--respawn=yes', "--respawn is true or false, not 'yes'"],
    ['--respawn=1', "--respawn is true or false, not '1'"],
    ['--respawn=', "--respawn is true or false, not ''"],
    ['--json-value=TRUE', "--json-value is true or false, not 'TRUE'"],
    ['--jsonValue=on', "--jsonValue is true or false, not 'on'"],
  ] as const)
    it(`${arg} is neither`, () => {
      expect(problemOf(arg)).to.equal(text);
      expect(problemOf('--host=yes', '--respawn', arg, '--', '--respawn=no')).to.equal(text);
    });

  it('is let through as true, false, alone or with no-, and so is all else', () => {
    for (const arg of ['--respawn=true', '--respawn=false', '--respawn', '--no-respawn', '--json-value'])
      expect(problemOf(arg, '--host=yes', '--other=1', '--', '--respawn=yes')).to.equal(undefined);
  });
});

describe('the directory that a program was started in', () => {
  const here = process.cwd();
  afterEach(() => {
    process.chdir(here);
  });

  it('is missed in so many words when it has been removed', function () {
    if (process.platform === 'win32') this.skip();
    expect(workingDirectoryProblem()).to.equal(undefined);
    const gone = mkdtempSync(join(tmpdir(), 'gtstore-gone-'));
    process.chdir(gone);
    rmdirSync(gone);
    expect(workingDirectoryProblem()).to.match(/is not there any more/);
  });
});
