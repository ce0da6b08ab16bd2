// What a command prints into a file of which only a part has room: none of it may be missing without a word.
import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../scripts/check-imports.js';
import { useFolder } from '../support/snapshot-files.js';

const stdout = join(packageRoot(), 'build/src/terminal/stdout.js');
const roomBytes = 4096;

describe('stdout into a file', () => {
  const newFolder = useFolder();

  /** Runs a script whose files may not become larger than `roomBytes`: one write takes a part, the next one nothing. */
  function run(script: string): { readonly stderr: string; readonly file: string } {
    const file = join(newFolder(), 'out');
    const code = `import { print, printed } from ${JSON.stringify(stdout)}; ${script}`;
    const shell = `ulimit -f ${roomBytes / 1024}; exec "$0" --input-type=module -e "$1" > "$2"`;
    const { stderr } = spawnSync('bash', ['-c', shell, process.execPath, code, file], { encoding: 'utf8' });
    return { stderr, file: readFileSync(file, 'utf8') };
  }

  before(function () {
    if (process.platform === 'win32') this.skip();
  });

  for (const call of ['print', 'await printed']) {
    it(`${call}: that there is no room for the rest is an error`, () => {
      const { stderr, file } = run(`${call}('a'.repeat(${roomBytes + 100}));`);
      expect(file).to.equal('a'.repeat(roomBytes));
      expect(stderr).to.match(/Error: cannot write output: EFBIG/);
    });

    it(`${call}: what there is room for is written as it is`, () => {
      const { stderr, file } = run(`${call}('Grüße\\n'); ${call}(new Uint8Array([104, 105]));`);
      expect(stderr).to.equal('');
      expect(file).to.equal('Grüße\nhi');
    });
  }
});
