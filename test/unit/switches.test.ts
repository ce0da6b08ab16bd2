// Options that are on or off, of both programs: what yargs takes for off without a word.
import { expect } from 'chai';
import yargs from 'yargs';
import { oddSwitch } from '../../src/terminal/switches.js';

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
