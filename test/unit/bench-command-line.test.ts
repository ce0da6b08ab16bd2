// What `gtstore bench` refuses before anything is measured.
import { expect } from 'chai';
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import yargs from 'yargs';
import { type BenchOptions, benchOptions, planOf } from '../../src/cli/bench-options.js';
import { checkWritable, writeReport } from '../../src/cli/bench-report-file.js';
import type { LoadPlan } from '../../src/load/plan.js';
import { until } from '../support/until.js';

/** Of this process. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      // The one by which the directory was read.
      return [];
    }
  });
}

async function failureOf(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => expect.fail('nothing was refused'),
    (error: unknown) => error as Error,
  );
}

describe('gtstore bench --report', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'gtstore-report-'));
    mkdirSync(join(folder, 'folder'));
    writeFileSync(join(folder, 'file'), 'as it was');
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  it('a file that can be written is neither made nor changed', async () => {
    for (const name of ['out.html', 'file', 'folder/out.html']) await checkWritable(join(folder, name));
    expect(readdirSync(folder, { recursive: true }).sort()).to.deep.equal(['file', 'folder']);
  });

  it('a file that is there is replaced when the new one is whole', async () => {
    const [file, former] = [join(folder, 'page.html'), join(folder, 'former.html')];
    await writeReport(file, 'the first');
    // Another name of the same file shows whether it was written over.
    linkSync(file, former);
    await writeReport(file, 'the second');
    expect([former, file].map((path) => readFileSync(path, 'utf8'))).to.deep.equal([
      'the first',
      'the second',
    ]);
    rmSync(file);
    rmSync(former);
    expect(readdirSync(folder).sort()).to.deep.equal(['file', 'folder']);
  });

  it('a link that leads nowhere is not replaced', async () => {
    const link = join(folder, 'link');
    symlinkSync(join(folder, 'none', 'page'), link);
    for (const [refused, wanted] of [
      [checkWritable(link), 'UsageError'],
      // It has turned out too late to be a wrong argument.
      [writeReport(link, 'page'), 'Error'],
    ] as const) {
      const { name, message } = await failureOf(refused);
      expect(name).to.equal(wanted);
      expect(message).to.match(/link cannot be written: it is a link that leads nowhere$/);
    }
    expect(lstatSync(link).isSymbolicLink()).to.equal(true);
    rmSync(link);
  });

  it('a disk that is full is named with the file', async function () {
    if (!existsSync('/dev/full')) this.skip();
    const { message } = await failureOf(writeReport('/dev/full', 'page'));
    expect(message).to.match(/^\/dev\/full cannot be written: ENOSPC/);
    // Left open, it would end the process when the collector finds it (Node 26), which takes longer.
    await until(() => !openFiles().includes('/dev/full'), { timeoutMs: 100 });
  });

  for (const name of [
    'file/out.html',
    'none/out.html',
    'folder',
    'folder/',
    'new/',
    `${'x'.repeat(300)}.html`,
  ]) {
    it(`${name.slice(0, 20)}: refused at once, in one line`, async () => {
      const file = `${folder}/${name}`;
      const { name: kind, message } = await failureOf(checkWritable(file));
      expect(kind).to.equal('UsageError');
      expect(message).to.include(`--report ${file} cannot be written: `);
      expect(message).not.to.include('\n');
    });
  }
});

describe('gtstore bench: more than a machine holds', () => {
  async function plan(...args: string[]): Promise<LoadPlan> {
    const command: Parameters<typeof benchOptions>[0] = yargs(args).env(false);
    return planOf(await benchOptions(command).parse());
  }

  it('what is usual has room', async () => {
    expect(await plan()).to.include({ clients: 1, inFlight: 64 } satisfies Partial<BenchOptions & LoadPlan>);
    await plan('--clients', '1000', '--in-flight', '1000');
    await plan('--value-bytes', String(64 * 2 ** 20));
    await plan('--clients', '16', '--in-flight', '163', '--workload', 'e', '--value-bytes', '10000');
  });

  const absurd: [args: string[], message: RegExp][] = [
    [
      ['--clients', '1000', '--in-flight', '16384'],
      /^--clients 1000 with --in-flight 16384 .*at most 1000000/,
    ],
    [
      ['--in-flight', '65', '--value-bytes', String(64 * 2 ** 20)],
      /^--value-bytes 67108864: .* 5 GiB at once/,
    ],
    [
      ['--workload', 'e', '--in-flight', '100', '--value-bytes', '1000000'],
      /10000 values under way.* 10 GiB/,
    ],
  ];
  for (const [args, message] of absurd) {
    it(`${args.join(' ')}: one line`, async () => {
      const { name, message: text } = await failureOf(plan(...args));
      expect(name).to.equal('UsageError');
      expect(text).to.match(message).and.not.include('\n');
    });
  }
});
