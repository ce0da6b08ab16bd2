import { client, node, one } from './mutant.js';
import type { Mutant } from './mutant.js';

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
      'this.#options.ports.node(id)?.sendLazily(message, patienceMs);',
      'message.type += id * 0;',
    ),
    bias: 'puts',
  },
];
