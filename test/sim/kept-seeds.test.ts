import { expect } from 'chai';
import type { Bias } from './plan.js';
import { runSchedule } from './schedule.js';

/**
 * Schedules that once found a bug in the cores, with what they found. They repeat it only while the simulator draws the
 * same schedule from the same seed: after a change to the simulator itself, `npm run sim -- --mutants` finds new ones.
 */
const kept: readonly {
  readonly seed: number;
  readonly bias?: Bias;
  readonly disks?: boolean;
  readonly calm?: boolean;
  readonly expiry?: boolean;
  readonly interval?: boolean;
  readonly found: string;
}[] = [
  {
    seed: 3,
    bias: 'managerAway',
    found:
      'M3: a restarted manager forked a node that still lived; each of the two evicted the other, for ever',
  },
  {
    seed: 3937,
    bias: 'puts',
    found:
      'M3: the REGISTER of a dead process came after the news of its end; the node was never started again',
  },
  {
    seed: 2866,
    bias: 'siblings',
    found: 'M3: the same, with its successor already running and told to end',
  },
  {
    seed: 10787,
    bias: 'puts',
    found: 'W6: a put was raised although a learner had said ACK, and was applied twice',
  },
  {
    seed: 10390,
    bias: 'tombstones',
    found:
      'RMW1: a conditional write that had waited was run by a node no longer primary: one version, two values',
  },
  {
    seed: 3591,
    bias: 'siblings',
    found: 'RMW1: the same, on an absent key',
  },
  {
    seed: 45357,
    found: 'M3, M6: two restarts of the manager from one saved state gave one incarnation to two processes',
  },
  {
    seed: 1000765,
    found:
      'M3: a process that registered while a restarted manager saved its state waited for itself, for ever',
  },
  {
    seed: 108027,
    found: 'M2: a node was isolated on reports of a cut that had ended',
  },
  {
    seed: 110009,
    found:
      'M3: a process forked by a manager that had saved nothing was admitted, died, and nobody was told of its end',
  },
  {
    seed: 140948,
    found: 'RMW5: two siblings were each found in the list of one node, and both told applied (ADR 17)',
  },
  {
    seed: 3001700,
    disks: true,
    found: 'M9, D3: a node was drained for good while a slot waited for its disk',
  },
  {
    seed: 3033976,
    disks: true,
    found: 'D3: a node that had lost its disk and its lease was taken for one that brings a slot back',
  },
  {
    seed: 3027569,
    found: 'M9: a node was told to end for a restart when a slot had just come to depend on it',
  },
  {
    seed: 3010558,
    found: 'M9: with too few nodes left, the one on its way out stood by while a slot lacked a replica',
  },
  {
    seed: 7624,
    bias: 'copies',
    disks: true,
    found: 'M8, D3: a slot was brought back while a node taken off it served on by a promise of the dead',
  },
  {
    seed: 5783,
    bias: 'tasks',
    found: 'M9: a slot whose K had just been raised lost a substitute as if it had one replica too many',
  },
  {
    seed: 5895,
    bias: 'tasks',
    found:
      'M9: a node to be restarted gave away the slots it held as a substitute and got them back, for ever',
  },
  {
    seed: 271,
    bias: 'disasters',
    disks: true,
    found:
      'M6, D2: a learner that served on with its part never labelled it: the next power failure took that, too',
  },
  {
    seed: 9616719,
    found:
      'W10: a node that had been stopped set its clock back by a lease that had lain there, and took an old write',
  },
  {
    seed: 10411387,
    bias: 'moves',
    disks: false,
    found:
      'M4: a map that leaves a slot to one node came out when that one had died, and the other still had all of it',
  },
  {
    seed: 11007768,
    disks: true,
    found: 'M3: the REGISTER of a process that had the disk before its successor came after it, and ended it',
  },
  {
    seed: 20037684,
    disks: true,
    calm: true,
    found: 'M4: with K = 1, one replica was isolated and the other surplus; both left at once',
  },
  {
    seed: 40022932,
    bias: 'moves',
    disks: true,
    calm: false,
    found:
      'D3: the first to come back joined behind one that had lost its disk, and its own was not asked for',
  },
  {
    seed: 70004348,
    bias: 'disasters',
    disks: true,
    calm: false,
    found: 'M3: the last node of a new cluster came while deaths were gathered; the first map never did',
  },
  {
    seed: 7103165,
    disks: false,
    calm: false,
    found:
      'M3: a REGISTER that was held back on a given-up connection ended the life that its sender had begun meanwhile',
  },
  {
    seed: 6,
    bias: 'stalls',
    disks: false,
    calm: false,
    found: 'R4: a node whose host had slept served on by the lease that it had been granted before',
  },
  {
    seed: 2,
    bias: 'stalls',
    disks: false,
    calm: false,
    found: 'M3: a manager that had stood still for about a lease took healthy nodes off their slots',
  },
  {
    seed: 13402251,
    disks: false,
    calm: true,
    found:
      'M9: a drained node stayed for one that had died, being on another host than those who could have its place',
  },
  {
    seed: 110000001,
    disks: false,
    calm: true,
    expiry: true,
    found: 'W11: a client whose host had slept gave a value a life that was too short by all that time',
  },
  {
    seed: 247150002,
    bias: 'turns',
    disks: false,
    calm: true,
    expiry: false,
    found: 'RMW7: an update waited for the large puts of its client, which waited for the end of its turn',
  },
  {
    seed: 251970780,
    bias: 'disasters',
    disks: true,
    found:
      'D3: a learner that had the only disk of a slot was taken off it by a manager that did not know, and cleared it',
  },
  {
    seed: 251960413,
    bias: 'ambush',
    disks: true,
    interval: true,
    found: 'D3: an accepted loss began a slot empty, though a node was back with all of it',
  },
  {
    seed: 248000025,
    disks: false,
    calm: true,
    expiry: true,
    found:
      'R3, M6: a key that was INVALID when its node was removed alive was not settled by that node when it served again',
  },
];

describe('schedules that once failed', () => {
  for (const { seed, bias, disks, calm, expiry, interval, found } of kept) {
    it(`seed ${seed}${bias === undefined ? '' : `, ${bias}`}: ${found}`, () => {
      expect(runSchedule(seed, { bias, disks, calm, expiry, interval }).violation).to.equal(null);
    });
  }
});
