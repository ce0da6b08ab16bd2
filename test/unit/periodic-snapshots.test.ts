// gtstore start --snapshot-every: its options, and which directories it removes.
import { expect } from 'chai';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nameAt, removeLeftovers, removeOldest, snapshotPlan } from '../../src/cli/periodic-snapshots.js';
import { failureOf, useFolder } from '../support/snapshot-files.js';

describe('periodic snapshots', () => {
  const newFolder = useFolder();

  function directory(folder: string, name: string, isWhole = true): string {
    mkdirSync(join(folder, name));
    if (isWhole) writeFileSync(join(folder, name, 'manifest.json'), '{}');
    writeFileSync(join(folder, name, 'part-0001.gts'), '');
    return name;
  }
  const at = (day: number): string => nameAt(new Date(Date.UTC(2026, 10, day)));

  it('the oldest are removed, and nothing that is not one of them', async () => {
    const folder = newFolder();
    const names = [5, 12, 7, 30, 21].map((day) => directory(folder, at(day)));
    const others = [directory(folder, 'before-the-move'), directory(folder, `${at(1)}.kept`)];
    expect(await removeOldest(folder, 2)).to.equal(3);
    expect(readdirSync(folder)).to.have.members([names[3], names[4], ...others]);
    expect(await removeOldest(folder, 2)).to.equal(0);
  });

  it('leftovers are removed: unfinished ones, and those that were being removed', async () => {
    const folder = newFolder();
    const whole = directory(folder, at(2));
    directory(folder, at(3), false);
    directory(folder, `${at(4)}.unfinished-aB3xYz`);
    const mine = directory(folder, 'monday.unfinished-abc');
    await removeLeftovers(folder);
    expect(readdirSync(folder)).to.have.members([whole, mine]);
  });

  it('times are a number and a unit; both options are needed', async () => {
    const folder = newFolder();
    const made = join(folder, 'deep', 'down');
    expect(await snapshotPlan('90s', made, 7)).to.deep.equal({ everyMs: 90_000, directory: made, keep: 7 });
    expect(existsSync(made)).to.equal(true);
    for (const [text, everyMs] of [
      ['1s', 1_000],
      ['30m', 1_800_000],
      ['1h', 3_600_000],
      ['24d', 24 * 86_400_000],
    ] as const)
      expect(await snapshotPlan(text, folder, 1)).to.include({ everyMs });
    expect(await snapshotPlan(undefined, undefined, 7)).to.equal(undefined);
    for (const wrong of ['0s', '1', 'h', '1w', '25d', '-1h', '1.5h', ''])
      expect((await failureOf(snapshotPlan(wrong, folder, 7))).message).to.match(/--snapshot-every must be/);
    expect((await failureOf(snapshotPlan('1h', undefined, 7))).message).to.match(/needs --snapshot-dir/);
    expect((await failureOf(snapshotPlan(undefined, folder, 7))).message).to.match(/needs --snapshot-every/);
    expect((await failureOf(snapshotPlan('1h', folder, 0))).message).to.match(/--snapshot-keep/);
    writeFileSync(join(folder, 'file'), '');
    expect((await failureOf(snapshotPlan('1h', join(folder, 'file', 'x'), 7))).message).to.match(
      /cannot be written/,
    );
  });
});
