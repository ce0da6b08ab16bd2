import { node, one } from './mutant.js';
import type { Mutant } from './mutant.js';

/** What is wrong with a turn among puts (RMW7). */
export const turnMutants: readonly Mutant[] = [
  {
    name: 'nobody is given a turn',
    rule: 'RMW7',
    edits: one(`${node}/turns.js`, 'if (work.turn !== null)', 'if (work.turn === null)'),
    bias: 'turns',
    quick: true,
  },
  {
    name: 'who waits for a VALID key waits for a gap among puts',
    rule: 'RMW7',
    edits: one(`${node}/replica.js`, 'if (condition.wantTurn)\n            this.turns.begin(record);', ''),
    bias: 'turns',
  },
  {
    name: 'a turn ends when somebody takes it only',
    rule: 'RMW7',
    edits: one(
      `${node}/turns.js`,
      'return this.#parts.ports.nowMs() >= endsAtMs;',
      'return this.#parts.ports.nowMs() < 0 * endsAtMs;',
    ),
    bias: 'turns',
    quick: true,
  },
  {
    name: 'what waits at the end of a turn is forgotten',
    rule: 'RMW7',
    edits: one(`${node}/turns.js`, 'this.#parts.take(link, message);', 'void [link, message];'),
    bias: 'turns',
    quick: true,
  },
];
