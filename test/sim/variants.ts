import type { Edit, Mutant } from './mutants.js';

const node = 'src/node/core';
const client = 'src/client/core';

function one(file: string, find: string, replace: string): readonly Edit[] {
  return [{ file, find, replace }];
}

/**
 * Changes that break no rule, for situations that a schedule is too small to reach otherwise. Nothing may be found.
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
      'this.#options.ports.node(id)?.sendLazily(message);',
      'message.type += id * 0;',
    ),
    bias: 'puts',
  },
];
