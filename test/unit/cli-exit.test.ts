// The exit code of a process whose output cannot be written.
import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '../../scripts/check-imports.js';
import { useFolder } from '../support/snapshot-files.js';

const exit = join(packageRoot(), 'build/src/cli/exit.js');

describe('a file that takes no more', () => {
  const newFolder = useFolder();

  before(function () {
    if (process.platform === 'win32') this.skip();
  });

  /** Writes three times to a file for one of its streams that may not be larger than one write. */
  function exitCode(stream: 'stdout' | 'stderr'): number | null {
    const script = `
      import { guardProcess } from ${JSON.stringify(exit)};
      guardProcess(() => undefined);
      for (let times = 0; times < 3; times++) process.${stream}.write('a'.repeat(1024));`;
    const shell = `ulimit -f 1; exec "$0" --input-type=module -e "$1" ${stream === 'stdout' ? 1 : 2}> "$2"`;
    const file = join(newFolder(), 'out');
    return spawnSync('bash', ['-c', shell, process.execPath, script, file]).status;
  }

  it('is a failure if it is stdout', () => {
    expect(exitCode('stdout')).to.equal(1);
  });

  it('is none if it is the log', () => {
    expect(exitCode('stderr')).to.equal(0);
  });
});
