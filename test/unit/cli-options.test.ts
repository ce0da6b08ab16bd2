// What is done to the command line before and after yargs: texts stay what they are, and blank text is no number.
import { expect } from 'chai';
import yargs from 'yargs';
import { UsageError } from '../../src/cli/exit.js';
import { memoryBytesMax } from '../../src/cli/max-memory.js';
import { checkHostBytes, markTexts, numberOperand, unmarkTexts, withoutMark } from '../../src/cli/options.js';

describe('arguments that yargs would take for something else', () => {
  for (const blank of ['', ' ', '\t']) {
    it(`${JSON.stringify(blank)} is no number, alone and after =`, () => {
      const [alone = '', long = '', short = ''] = markTexts([blank, `--port=${blank}`, `-n=${blank}`]);
      expect([
        Number(alone),
        Number(long.slice('--port='.length)),
        Number(short.slice('-n='.length)),
      ]).to.deep.equal([NaN, NaN, NaN]);
      expect([alone, long, short].map(withoutMark)).to.deep.equal([blank, `--port=${blank}`, `-n=${blank}`]);
    });
  }

  it('a lone dash and what follows -- are operands', () => {
    const args = ['put', '-', '--json', '--', '--key', '-'];
    const marked = markTexts(args);
    expect(marked.filter((arg) => arg.startsWith('-'))).to.deep.equal(['--json']);
    expect(marked.map(withoutMark)).to.deep.equal(args.filter((arg) => arg !== '--'));
  });

  it('all else is as it was, and texts are unmarked among the options', () => {
    const args = ['start', '-n', '3', '--host=h', '--port', '-1', 'a b='];
    expect(markTexts(args)).to.deep.equal(args);
    const [marked] = markTexts(['']);
    const options = { host: marked, port: 1, json: false, none: undefined };
    unmarkTexts(options);
    expect(options).to.deep.equal({ host: '', port: 1, json: false, none: undefined });
  });
});

describe('a number among the operands', () => {
  const numberOf = async (...args: string[]): Promise<unknown> =>
    (
      await yargs(markTexts(args))
        .command(
          'drain <node>',
          'd',
          (command) => command.positional('node', numberOperand),
          () => undefined,
        )
        .parseAsync()
    )['node'];

  it('is one after -- as well, whatever it begins with', async () => {
    for (const [args, number] of [
      [['3'], 3],
      [['-3'], -3],
      [['--', '3'], 3],
      [['--', '-3'], -3],
      [['1e1'], 10],
    ] as const)
      expect(await numberOf('drain', ...args)).to.equal(number);
    for (const text of ['', ' ', '-', 'x']) expect(await numberOf('drain', '--', text)).to.be.NaN;
  });
});

describe('what is told of a host', () => {
  it('has 255 bytes of UTF-8 at most: no message could carry more', () => {
    for (const text of [undefined, '', 'h'.repeat(255), `${'ü'.repeat(127)}x`]) checkHostBytes('--x', text);
    for (const text of ['h'.repeat(256), 'ü'.repeat(128)])
      expect(() => {
        checkHostBytes('--host-label', text);
      }).to.throw(UsageError, '--host-label has 256 bytes; give a name of at most 255');
  });
});

describe('a size of memory', () => {
  it('is a number with a unit, powers of 1024, or none', () => {
    const sizes = ['1MB', '512MB', '1.5GB', '2 gb', '2GiB', '1TB', '1048576B', '2048KB', 'none', undefined];
    const mebi = 2 ** 20;
    expect(sizes.map(memoryBytesMax)).to.deep.equal([
      ...[mebi, 512 * mebi, 1536 * mebi, 2048 * mebi, 2048 * mebi, 2 ** 40, mebi, 2 * mebi],
      ...[0, undefined],
    ]);
  });

  for (const text of ['5', '0', 'abc', '', '-1GB', '0MB', '1000KB', '5IB', '1e3MB', '512 M', '9999999TB']) {
    it(`'${text}' is none: the message says what is`, () => {
      expect(() => memoryBytesMax(text)).to.throw(
        `--max-memory must be a size from 1MB on, such as 512MB or 2GB, or none, not '${text}'`,
      );
    });
  }
});
