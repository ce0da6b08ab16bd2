// test_app against a cluster of real processes: the shop, the replay with nodes that are killed, one key.
import { expect } from 'chai';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GTStoreClient } from '../../src/client/index.js';
import { type TestCluster, startCluster } from '../../src/testing/index.js';
import { type Result, launcher, root, run, testApp } from './command.js';

const invoices = join(root, 'examples/online-retail-2010-12-01.csv');
const rowsReplayed = 400;

describe('test_app', function () {
  this.timeout(90_000);
  const launch = launcher();
  let cluster: TestCluster;
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'gtstore-e2e-'));
    cluster = await startCluster({ nodes: 5, replicas: 3 });
  });
  after(async () => {
    await cluster.stop();
    await rm(directory, { recursive: true });
  });

  function testAppWith(input: string, ...args: string[]): Promise<Result> {
    return run(testApp, args, { input, env: { GTSTORE_URL: cluster.url } });
  }

  it('--put stores, --get prints; exit 1 if the key is absent', async () => {
    expect(await testAppWith('', '--put', 'greeting', '--val', 'hello')).to.include({ code: 0, stderr: '' });
    expect(await testAppWith('', '--get', 'greeting')).to.include({ code: 0, stdout: 'hello\n', stderr: '' });
    expect(await testAppWith('', '--get', 'nothing')).to.include({ code: 1, stdout: '' });
    expect(await testAppWith('', '--put', 'greeting')).to.include({ code: 2, stdout: '' });
  });

  it('--get spells what JSON has not as an export does', async () => {
    await using store = new GTStoreClient({ manager: cluster.url });
    await store.init();
    await store.put('odd', [Infinity, -0, new Uint8Array([104, 105])]);
    const stdout = '[{"$number":"Infinity"},{"$number":"-0"},{"$bytes":"aGk="}]\n';
    expect(await testAppWith('', '--get', 'odd')).to.include({ code: 0, stdout, stderr: '' });
  });

  it('--get into a file that takes only a part of the value is a failure', async function () {
    if (process.platform === 'win32') this.skip();
    await using store = new GTStoreClient({ manager: cluster.url });
    await store.init();
    await store.put('long', 'x'.repeat(5000));
    const shell = `ulimit -f 4; exec "$0" "$1" --get long > "$2"`;
    const args = ['-c', shell, process.execPath, testApp, join(directory, 'long')];
    const { code, stderr } = await run('bash', args, { env: { GTSTORE_URL: cluster.url } });
    expect(stderr).to.match(/^test_app: cannot write output: EFBIG.*\n$/);
    expect(code).to.equal(1);
  });

  it('shop: a script is done to its end when nobody reads what it says', async () => {
    const shop = launch(testApp, ['shop', '--user', 'carol'], {
      input: 'items\nadd apple 2\n',
      isInputOpen: true,
      env: { GTSTORE_URL: cluster.url },
    });
    await shop.shows(/added 2/);
    shop.closeStdout();
    shop.endInput('view\ncheckout\n');
    expect(await shop.ended()).to.include({ code: 0, stderr: '' });
    expect((await testAppWith('orders\n', 'shop', '--user', 'carol')).stdout).to.match(/^carol\/1 /m);
  });

  it('shop: a cart outlives the session and is checked out in another', async () => {
    const first = await testAppWith(
      'add apple 2\nadd pear 1 2.55\nremove pear\nlogout\n',
      'shop',
      '--user',
      'alice',
    );
    expect(first.code, first.stderr).to.equal(0);
    const second = await testAppWith('view\ncheckout\nview\n', 'shop', '--user', 'alice');
    expect(second.code, second.stderr).to.equal(0);
    expect(second.stdout).to.match(/apple/).and.not.match(/pear/);
  });

  it('replay: 8 clients, one node killed on the way, and every cart is as the file says', async () => {
    const file = join(directory, 'some.csv');
    const lines = (await readFile(invoices, 'utf8')).split('\n').slice(0, rowsReplayed + 1);
    await writeFile(file, `${lines.join('\n')}\n`);
    const before = await cluster.status();
    const { code, stdout, stderr } = await testAppWith(
      '',
      'replay',
      file,
      '--clients',
      '8',
      '--kill',
      '1',
      '--json',
    );
    expect(code, stderr).to.equal(0);
    const summary = JSON.parse(stdout) as Record<string, number>;
    expect(summary).to.have.all.keys(
      ...['rows', 'carts', 'quantity', 'revenue', 'conflicts', 'unknown', 'killed', 'mismatches', 'seconds'],
      'opsPerSecond',
    );
    expect(summary).to.include({ rows: rowsReplayed, killed: 1, mismatches: 0 });
    const after = await cluster.untilHealthy();
    const changed = after.nodes.filter(
      ({ id, pid }) => before.nodes.find((node) => node.id === id)?.pid !== pid,
    );
    expect(changed).to.have.length(1);
  });
});
