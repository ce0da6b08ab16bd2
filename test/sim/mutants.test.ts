import { expect } from 'chai';
import { hunt, mutants, occurrences } from './mutation-run.js';
import { variants } from './variants.js';

/** Many times what the quick ones need. */
const schedulesMax = 5000;

describe('seeded bugs', () => {
  it('each changes exactly one place of the compiled cores', () => {
    const edits = [...mutants, ...variants].flatMap((mutant) => mutant.edits);
    const misplaced = edits.filter((edit) => occurrences(edit) !== 1);
    expect(misplaced.map(({ file, find }) => `${file}: ${find}`)).to.deep.equal([]);
  });

  for (const mutant of mutants.filter(({ quick }) => quick === true)) {
    it(`${mutant.rule}: the simulator finds "${mutant.name}"`, async function () {
      this.timeout(60_000);
      const { schedules, violation } = await hunt(mutant, schedulesMax);
      expect(schedules, 'schedules until it was found').not.to.equal(null);
      expect(violation).not.to.equal('');
    });
  }
});
