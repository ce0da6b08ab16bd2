/**
 * Seeded bugs in what nodes do with requests as frames (ADR 22): each rule is kept there a second time. See mutants.ts.
 * Not here: a WRITE that is taken without a right to serve. Whoever lacks one at the epoch of the slot's other members is
 * a second line behind their FENCED: not found in 60,000 schedules.
 */
import { node, one } from './mutant.js';
import type { Mutant } from './mutant.js';

const storage = 'src/node/storage';

export const plainMutants: readonly Mutant[] = [
  {
    name: 'frame: a GET is answered without a right to serve',
    rule: 'R1 R4',
    edits: one(
      `${node}/plain-requests.js`,
      'if (this.#admission.serviceFault(slot) !== -1)',
      'if (slot < 0)',
    ),
    bias: 'puts',
    firstSeed: 20,
    quick: true,
  },
  {
    name: 'frame: an INVALID value is exposed',
    rule: 'R2',
    edits: one(
      `${storage}/plain-records.js`,
      'const validValue = Flag.valid | Flag.hasValue;',
      'const validValue = Flag.hasValue;',
    ),
    bias: 'puts',
    quick: true,
  },
  {
    name: 'frame: a WRITE of an old epoch is taken',
    rule: 'W3',
    edits: one(`${node}/admission.js`, 'if (map === null || epoch !== ownEpoch ||', 'if (map === null ||'),
    bias: 'puts',
  },
  {
    name: 'frame: a WRITE takes the place of a later one',
    rule: 'W4',
    edits: one(`${node}/plain-requests.js`, ' || frame.hlc <= store.hlcOf(record)', ''),
    bias: 'puts',
    quick: true,
  },
  {
    name: 'frame: a VALIDATE is taken for the version that is there, whatever it named',
    rule: 'W9',
    edits: one(`${storage}/plain-records.js`, 'if (floats[at >>> 1] !== hlc)', 'if (hlc < 0)'),
    bias: 'puts',
  },
];
