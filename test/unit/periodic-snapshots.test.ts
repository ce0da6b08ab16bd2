// gtstore start --snapshot-every: its options, and which directories it removes.
import { expect } from 'chai';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../src/protocol/logger.js';
import {
  firstWaitMs,
  nameAt,
  removeLeftovers,
  removeOldest,
  snapshotPlan,
} from '../../src/cli/periodic-snapshots.js';
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

  function newLog(): { log: Logger; warnings: string[] } {
    const warnings: string[] = [];
    const nothing = (): void => undefined;
    const warn = (text: string): void => {
      warnings.push(text);
    };
    return { log: { debug: nothing, info: nothing, warn, error: nothing }, warnings };
  }

  it('the oldest are removed, and nothing that is not one of them', async () => {
    const folder = newFolder();
    const names = [5, 12, 7, 30, 21].map((day) => directory(folder, at(day)));
    const others = [directory(folder, 'before-the-move'), directory(folder, `${at(1)}.kept`)];
    const { log, warnings } = newLog();
    const options = { keep: 2, taken: at(30), log };
    expect(await removeOldest(folder, options)).to.equal(3);
    expect(readdirSync(folder)).to.have.members([names[3], names[4], ...others]);
    expect(await removeOldest(folder, options)).to.equal(0);
    expect(warnings).to.deep.equal([]);
  });

  it('the one just taken stays, and of a clock that ran ahead go those that seem later', async () => {
    const folder = newFolder();
    for (const day of [25, 3, 26, 4, 27]) directory(folder, at(day));
    const { log } = newLog();
    expect(await removeOldest(folder, { keep: 4, taken: at(4), log })).to.equal(1);
    expect(readdirSync(folder)).to.have.members([3, 4, 26, 27].map(at));
    expect(await removeOldest(folder, { keep: 1, taken: at(4), log })).to.equal(3);
    expect(readdirSync(folder)).to.deep.equal([at(4)]);
  });

  it('one that cannot be removed is told, and the others are removed', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, at(1)), 'no directory');
    for (const day of [2, 3, 4]) directory(folder, at(day));
    const { log, warnings } = newLog();
    expect(await removeOldest(folder, { keep: 1, taken: at(4), log })).to.equal(2);
    expect(readdirSync(folder)).to.have.members([at(1), at(4)]);
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.match(/2026-11-01\S+ cannot be removed: .*ENOTDIR/);
    expect(await removeOldest(join(folder, 'nowhere'), { keep: 1, taken: at(4), log })).to.equal(0);
    expect(warnings[1]).to.match(/in \S+nowhere cannot be removed: .*ENOENT/);
  });

  it('leftovers are removed: unfinished ones, and those that were being removed; what resists is told', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, at(1)), 'no directory');
    const whole = directory(folder, at(2));
    directory(folder, at(3), false);
    directory(folder, `${at(4)}.unfinished-aB3xYz`);
    const mine = directory(folder, 'monday.unfinished-abc');
    const { log, warnings } = newLog();
    await removeLeftovers(folder, log);
    expect(readdirSync(folder)).to.have.members([at(1), whole, mine]);
    expect(warnings).to.have.length(1);
  });

  it('the first is due when the time has passed since the newest one, however often the manager was started anew', () => {
    const hourMs = 3_600_000;
    const dayMs = 24 * hourMs;
    const nowMs = Date.UTC(2026, 10, 20, 12, 30);
    const ago = (ms: number): string => nameAt(new Date(nowMs - ms));
    const others = ['monday', `${ago(0)}.unfinished-aB3xYz`];
    expect(firstWaitMs([ago(dayMs), ...others, ago(dayMs / 4), ago(2 * dayMs)], dayMs, nowMs)).to.equal(
      (3 * dayMs) / 4,
    );
    // Overdue, or none yet: there is time to restore one.
    expect(firstWaitMs([ago(3 * dayMs)], dayMs, nowMs)).to.equal(hourMs);
    expect(firstWaitMs(others, dayMs, nowMs)).to.equal(hourMs);
    expect(firstWaitMs([], 2_000, nowMs)).to.equal(2_000);
    // A clock that ran ahead.
    expect(firstWaitMs([ago(-9 * dayMs)], dayMs, nowMs)).to.equal(hourMs);
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
