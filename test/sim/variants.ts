import { client, node, one } from './mutant.js';
import type { Mutant } from './mutant.js';

/**
 * Changes that break no rule: bounds made small, so that schedules, which are small, meet their edges. Nothing may be found.
 */
export const variants: readonly Mutant[] = [
  {
    name: 'copies in batches of one entry',
    rule: 'M5',
    edits: one(`${node}/walks.js`, 'copyLimits = { entries: 128,', 'copyLimits = { entries: 1,'),
    bias: 'moves',
  },
  {
    name: 'keys remember one conditional write',
    rule: 'RMW5',
    edits: one(
      'src/protocol/applied-list.js',
      'export const appliedEntriesMax = 16;',
      'export const appliedEntriesMax = 1;',
    ),
    bias: 'conditions',
  },
  {
    name: 'clients never send VALIDATE',
    rule: 'R2 R3',
    edits: one(
      `${client}/sender.js`,
      'this.#options.ports.node(id)?.sendLazily(message, patienceMs);',
      'message.type += id * 0;',
    ),
    bias: 'puts',
  },
  {
    name: 'one may wait at all keys of a node',
    rule: 'R2 RMW1',
    edits: one(`${node}/wait-room.js`, 'const waitersMax = 65_536;', 'const waitersMax = 1;'),
    bias: 'hotKey',
  },
  {
    name: 'four answers may wait for a disk',
    rule: 'D1',
    edits: one(`${node}/disk-gate.js`, 'const waitingMax = 65_536;', 'const waitingMax = 4;'),
    bias: 'puts',
    disks: true,
  },
  {
    name: 'one overwritten value is kept for those who read it',
    rule: 'R2',
    edits: one(
      `${node}/waiting-readers.js`,
      'const keptBytesMax = 16 * 1024 * 1024;',
      'const keptBytesMax = 1;',
    ),
    bias: 'hotKey',
  },
  {
    name: 'the writes of a connection share two places',
    rule: 'W9',
    edits: one(`${node}/accepted-writes.js`, 'const placeMask = (1 << 14) - 1;', 'const placeMask = 1;'),
    bias: 'puts',
  },
  {
    name: 'the settle queue begins with one place',
    rule: 'R3',
    edits: one(`${node}/settle-queue.js`, 'const capacityStart = 1024;', 'const capacityStart = 1;'),
    bias: 'puts',
  },
  {
    name: 'one record is looked at for each batch of a copy',
    rule: 'M5',
    edits: one(`${node}/walks.js`, 'const batchStepsMax = 4096;', 'const batchStepsMax = 1;'),
    bias: 'copies',
  },
  {
    name: 'one request for a walk is answered in each turn',
    rule: 'M5',
    edits: one(`${node}/walk-turns.js`, 'const turnStepsMax = 8192;', 'const turnStepsMax = 1;'),
    bias: 'copies',
    disks: true,
  },
  {
    name: 'one record is summed up for each answer of a digest',
    rule: 'D2',
    edits: one(`${node}/walks.js`, 'const digestStepsMax = 1024;', 'const digestStepsMax = 1;'),
    bias: 'disasters',
    disks: true,
  },
  {
    name: 'each key has a bucket of its own',
    rule: 'D2',
    edits: one(`${node}/slot-digest.js`, 'const keysPerBucket = 8;', 'const keysPerBucket = 0.5;'),
    bias: 'disasters',
    disks: true,
  },
  {
    name: 'what came meanwhile is never merged at once',
    rule: 'D2',
    edits: one(`${node}/attic.js`, 'const mergedAtOnceMax = 1024;', 'const mergedAtOnceMax = -1;'),
    bias: 'copies',
    disks: true,
  },
  {
    name: 'a batch of a copy is asked for anew after ten milliseconds',
    rule: 'M5',
    edits: one(`${node}/learner.js`, 'const batchTimeoutMs = 1000;', 'const batchTimeoutMs = 10;'),
    bias: 'moves',
  },
];
