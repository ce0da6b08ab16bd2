// What is done to the command line before and after yargs: texts stay what they are, and blank text is no number.
import { expect } from 'chai';
import { markTexts, unmarkTexts, withoutMark } from '../../src/cli/options.js';

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
