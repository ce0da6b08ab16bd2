import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkImports, packageRoot, readDependencies, readTree } from '../../scripts/check-imports.js';

const dependencies = ['msgpackr', 'yargs', 'winston'];

function problemsOf(file: string, text: string): string[] {
  return checkImports(new Map([[file, text]]), dependencies).map(({ message }) => message);
}

describe('check-imports', () => {
  it('finds the real tree clean', () => {
    const root = packageRoot();
    expect(checkImports(readTree(root), readDependencies(root))).to.deep.equal([]);
  });

  const forbidden: [rule: string, file: string, text: string][] = [
    ['protocol imports nothing of ours', 'src/protocol/map.ts', "import { a } from '../transport/link.js';"],
    ['protocol imports no sockets', 'src/protocol/map.ts', "import { Socket } from 'node:net';"],
    ['protocol is pure', 'src/protocol/map.ts', "import { randomInt } from 'node:crypto';"],
    [
      'a core is pure, bare module names included',
      'src/node/core/replica.ts',
      "import { readFileSync } from 'fs';",
    ],
    ['a core does not see its shell', 'src/node/core/replica.ts', "import { S } from '../server.js';"],
    ['a core does not see storage', 'src/node/core/replica.ts', "import { S } from '../storage/memory.js';"],
    [
      'a core does not see transport',
      'src/client/core/cache.ts',
      "import { L } from '../../transport/link.js';",
    ],
    [
      'a core does not see another core',
      'src/node/core/a.ts',
      "import { L } from '../../manager/core/b.js';",
    ],
    ['a core imports no package', 'src/manager/core/a.ts', "import winston from 'winston';"],
    ['transport sees no role', 'src/transport/link.ts', "import { N } from '../node/server.js';"],
    ['node does not import manager', 'src/node/server.ts', "import { M } from '../manager/server.js';"],
    ['manager does not import node', 'src/manager/spawn.ts', "import { N } from '../node/core/lease.js';"],
    ['client does not import node', 'src/client/client.ts', "import { N } from '../node/server.js';"],
    ['node does not import client', 'src/node/server.ts', "import { C } from '../client/index.js';"],
    ['only transport imports node:net', 'src/node/server.ts', "import net from 'node:net';"],
    ['only transport imports node:tls', 'src/cli/main.ts', "import tls from 'node:tls';"],
    ['shop uses the public client only', 'src/shop/cart.ts', "import { C } from '../client/client.js';"],
    ['shop does not know the protocol', 'src/shop/cart.ts', "import { E } from '../protocol/errors.js';"],
    ['load uses the public client only', 'src/load/lanes.ts', "import { S } from '../client/session.js';"],
    ['load does not know the shop', 'src/load/report.ts', "import { C } from '../shop/catalogue.js';"],
    ['load leaves the screen to the commands', 'src/load/a.ts', "import { b } from '../terminal/b.js';"],
    ['files imports nothing', 'src/files/a.ts', "import { C } from '../protocol/logger.js';"],
    ['terminal imports nothing', 'src/terminal/bar.ts', "import { C } from '../client/index.js';"],
    ['testing does not reach into node', 'src/testing/index.ts', "import { N } from '../node/server.js';"],
    ['cli does not reach into a core', 'src/cli/node.ts', "import { R } from '../node/core/replica.js';"],
    ['nothing imports cli', 'src/testing/index.ts', "import { main } from '../cli/main.js';"],
    ['src imports no test', 'src/node/server.ts', "import { h } from '../../test/unit/helper.js';"],
    ['src imports no development tool', 'src/node/server.ts', "import { expect } from 'chai';"],
    ['src does not import itself by name', 'src/shop/main.ts', "import { GTStoreClient } from 'gtstore';"],
    ['a new folder needs a row in the table', 'src/gossip/index.ts', 'export const a = 1;'],
    ['process.env', 'src/client/client.ts', 'export const url = process.env.GTSTORE_URL;'],
    ["process['argv']", 'src/node/server.ts', "export const a = process['argv'];"],
    ['process.exit', 'src/manager/server.ts', 'process.exit(1);'],
    ['const { env } = process', 'src/shop/cart.ts', 'const { env: e } = process; export { e };'],
    ["import { env } from 'node:process'", 'src/node/server.ts', "import { env } from 'node:process';"],
    ['testing reads no argv', 'src/testing/index.ts', 'export const a = process.argv;'],
  ];
  for (const [rule, file, text] of forbidden) {
    it(`fires: ${rule}`, () => {
      expect(problemsOf(file, text)).to.have.lengthOf(1);
    });
  }

  const forms: [form: string, text: string][] = [
    ['import type', "import type { M } from '../manager/server.js';"],
    ['side effect', "import '../manager/server.js';"],
    ['re-export', "export * from '../manager/server.js';"],
    ['dynamic import', "export const m = import('../manager/server.js');"],
    ['import type expression', "export type M = import('../manager/server.js').M;"],
    ['require', "import m = require('../manager/server.js');"],
  ];
  for (const [form, text] of forms) {
    it(`sees every form of import: ${form}`, () => {
      expect(problemsOf('src/node/server.ts', text)).to.have.lengthOf(1);
    });
  }

  const allowed: [rule: string, file: string, text: string][] = [
    [
      'protocol uses its own files, Buffer and msgpackr',
      'src/protocol/codec.ts',
      "import { Packr } from 'msgpackr'; import type { Buffer } from 'node:buffer'; import { m } from './messages.js';",
    ],
    [
      'a core uses protocol and its own core',
      'src/node/core/replica.ts',
      "import { V } from '../../protocol/version.js'; import { L } from './lease.js';",
    ],
    [
      'a shell uses its core, transport and protocol',
      'src/node/server.ts',
      "import { R } from './core/replica.js'; import { S } from './storage/memory.js'; import { L } from '../transport/link.js'; import { V } from '../protocol/version.js'; import winston from 'winston';",
    ],
    [
      'transport uses node:net and node:tls',
      'src/transport/link.ts',
      "import net from 'node:net'; import tls from 'node:tls';",
    ],
    [
      'shop uses the public client',
      'src/shop/cart.ts',
      "import { GTStoreClient } from '../client/index.js';",
    ],
    [
      'load uses the public client and the protocol',
      'src/load/lanes.ts',
      "import { GTStoreClient } from '../client/index.js'; import { e } from '../protocol/value-codec.js';",
    ],
    ['shop draws on the terminal', 'src/shop/replay.ts', "import { b } from '../terminal/bar.js';"],
    [
      'shop/main.ts reads the command line',
      'src/shop/main.ts',
      'export const a = [process.argv, process.env]; process.exit(0);',
    ],
    ['testing hands on the environment', 'src/testing/index.ts', 'export const env = { ...process.env };'],
    [
      'cli uses the shells',
      'src/cli/start.ts',
      "import { N } from '../node/server.js'; import { M } from '../manager/server.js'; import { C } from '../client/index.js'; import yargs from 'yargs/helpers'; process.exit(process.argv.length);",
    ],
    [
      'other properties of process are free',
      'src/manager/spawn.ts',
      'export const a = [process.pid, process.execPath];',
    ],
  ];
  for (const [rule, file, text] of allowed) {
    it(`allows: ${rule}`, () => {
      expect(problemsOf(file, text)).to.deep.equal([]);
    });
  }

  it('names the file, the line and the rule', () => {
    const files = new Map([['src/node/server.ts', "// one\n\nimport { M } from '../manager/server.js';\n"]]);
    expect(checkImports(files)).to.deep.equal([
      {
        file: 'src/node/server.ts',
        line: 3,
        message:
          'node may not import src/manager/server.ts (node imports: node/core, transport, files, protocol)',
      },
    ]);
  });

  it('as a program: exit 1 and one line a problem', () => {
    const root = mkdtempSync(join(tmpdir(), 'check-imports-'));
    try {
      const file = join(root, 'src/client/client.ts');
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, "import { N } from '../node/server.js';\n");
      writeFileSync(join(root, 'package.json'), '{}');
      const program = fileURLToPath(new URL('../../scripts/check-imports.js', import.meta.url));
      const { status, stderr } = spawnSync(process.execPath, [program, root], { encoding: 'utf8' });
      expect(status).to.equal(1);
      expect(stderr).to.match(
        /^src\/client\/client\.ts:1: client may not import src\/node\/server\.ts .*\n$/,
      );
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});
