/** `gtstore rebalance`: gives every node its share of slots, bytes or load. */
import type { CommandModule } from 'yargs';
import { type RebalanceMeasure, type SlotMove, rebalanceMeasures } from '../protocol/admin.js';
import { type MoveOptions, moveOptions, order, speedOf } from './admin-options.js';
import { alignColumns } from './columns.js';
import { runTask } from './run-task.js';
import { slots } from './task-display.js';
import { printJson, printLine, withClient } from './with-client.js';

interface RebalanceOptions extends MoveOptions {
  by: RebalanceMeasure;
  'dry-run': boolean;
}

const byDefault: RebalanceMeasure = 'slots';

export const rebalanceCommand: CommandModule<object, RebalanceOptions> = {
  command: 'rebalance',
  describe: 'Move slots so that every node has its share; new nodes get theirs',
  builder: (command) =>
    moveOptions(command)
      .option('by', {
        choices: rebalanceMeasures,
        requiresArg: true,
        default: byDefault,
        describe: 'What is made even: slots, bytes held, or operations of late',
      })
      .option('dry-run', { type: 'boolean', default: false, describe: 'Only print what would be moved' })
      .example('$0 rebalance', 'after gtstore add-node')
      .example('$0 rebalance --by load --dry-run', 'what would be moved to spread the load'),
  handler: async ({ manager, json, wait, by, dryRun, mbPerSecond }) => {
    const request = { command: 'rebalance', by, ...speedOf(mbPerSecond) } as const;
    if (dryRun) {
      await withClient(manager, async (store) => {
        const { moves = [] } = await order(store, { ...request, dryRun });
        if (json) printJson({ moves });
        else printLine(formatMoves(moves));
      });
      return;
    }
    await runTask({
      ...{ manager, json, wait, task: 'rebalance', request },
      done: ({ total }) =>
        total === 0 ? `nothing to move: ${by} are even` : `rebalanced by ${by}, ${slots(total)} moved`,
    });
  },
};

function formatMoves(moves: readonly SlotMove[]): string {
  if (moves.length === 0) return 'nothing would be moved';
  const rows = moves.map(({ slot, from, to }) => [String(slot), nodeOf(from), nodeOf(to)]);
  return [
    `${moves.length} moves`,
    '',
    ...alignColumns([['slot', 'from node', 'to node'], ...rows], () => true),
  ].join('\n');
}

/** -1: a copy more, or one less. */
function nodeOf(id: number): string {
  return id < 0 ? '-' : String(id);
}
