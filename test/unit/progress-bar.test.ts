// The line that says how far something is, and the bars of `gtstore bench` one after the other.
import { expect } from 'chai';
import { PhaseBar } from '../../src/cli/bench-progress.js';
import { type Screen, progressBar } from '../../src/terminal/progress-bar.js';

const eraseLine = '\r\u001b[K';

function screenOf(columns?: number): { screen: Screen; lines: string[] } {
  const lines: string[] = [];
  const write = (text: string): void => void lines.push(text.replace(eraseLine, ''));
  return { screen: { isTTY: true, ...(columns === undefined ? {} : { columns }), write }, lines };
}

describe('progress bar', () => {
  it('fills up from nothing to all', () => {
    for (const [done, line] of [
      [0, `copying [${'-'.repeat(40)}] 0 % 0/200`],
      [50, `copying [${'#'.repeat(10)}${'-'.repeat(30)}] 25 % 50/200`],
      [200, `copying [${'#'.repeat(40)}] 100 % 200/200`],
    ] as const) {
      const { screen, lines } = screenOf(120);
      progressBar(screen, 'copying', 200).show(done);
      expect(lines).to.deep.equal([line]);
    }
  });

  it('more done than there was to do is all of it, not an error', () => {
    const { screen, lines } = screenOf(120);
    const bar = progressBar(screen, 'deleting', 100);
    bar.show(101, '5 op/s');
    bar.show(1e6);
    expect(lines[0]).to.equal(`deleting [${'#'.repeat(40)}] 100 % 101/101  5 op/s`);
    expect(lines[1]).to.include('] 100 % 1000000/1000000');
  });

  it('nothing to do is no error, and a narrow terminal has no bar', () => {
    for (const [columns, total] of [
      [0, 0],
      [20, 5],
      [undefined, 3],
    ] as const) {
      const { screen, lines } = screenOf(columns);
      progressBar(screen, 'x', total).show(0);
      expect(lines[0]).to.match(/^x \[-*\] 0 % 0\//);
    }
  });

  it('is never as long as a line of the terminal, however narrow that is', () => {
    for (const columns of [1, 2, 10, 30, 45]) {
      const { screen, lines } = screenOf(columns);
      progressBar(screen, 'changing replicas', 1e6).show(1e6, '1,234,567 op/s');
      expect(lines[0]?.length).to.equal(columns - 1);
      expect('changing replicas ['.startsWith(lines[0]?.slice(0, 19) ?? '?')).to.equal(true);
    }
  });

  it('writes nothing where nobody looks', () => {
    const write = (): never => expect.fail('written');
    const bar = progressBar({ write }, 'x', 10);
    bar.show(11);
    bar.clear();
  });
});

describe('gtstore bench: bars of the phases', () => {
  it('the total of a phase may become known while it goes on', () => {
    const { screen, lines } = screenOf(120);
    const bar = new PhaseBar(screen);
    bar.show('filling', 100, 100, 1);
    bar.show('deleting', 10, 60, 1);
    bar.show('deleting', 90, 180, 1);
    bar.show('deleting', 180, 180, 1);
    bar.clear();
    const shares = lines.map((line) => /\d+ % \d+\/\d+/.exec(line)?.[0]);
    expect(shares).to.deep.equal([
      '100 % 100/100',
      undefined,
      '16 % 10/60',
      '50 % 90/180',
      '100 % 180/180',
      undefined,
    ]);
  });

  it('times are shown in seconds', () => {
    const { screen, lines } = screenOf(120);
    new PhaseBar(screen).show('measuring', 2_500, 10_000, 12_345);
    expect(lines[0]).to.match(/^measuring \(s\) .* 20 % 2\/10 {2}12,345 op\/s$/);
  });
});
