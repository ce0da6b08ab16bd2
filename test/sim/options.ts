/** The simulator's command line. */
import yargs from 'yargs';
import { biases } from './plan.js';
import type { Kind } from './schedule.js';

/** Kinds of schedules that a seed decides over otherwise, by their option. */
export const kindNames = {
  disks: 'disks',
  interval: 'interval',
  elsewhere: 'elsewhere',
  calm: 'calm',
  expiry: 'expiry',
  managerDisk: 'manager-disk',
  turns: 'turns',
} as const satisfies Record<keyof Kind, string>;

function often(describe: string) {
  return { choices: ['always', 'never'] as const, requiresArg: true, describe };
}

function count(describe: string, usual: number) {
  return { type: 'number', requiresArg: true, default: usual, describe } as const;
}

/** Ends the process, with a line that says why, if they are none. */
export function readOptions(args: readonly string[]) {
  return yargs(args)
    .scriptName('npm run sim --')
    .usage(
      '$0 [options]\n\nPlays whole clusters whose messages, disks and clocks are made up, and judges what clients saw. ' +
        'One seed is one schedule, the same on every machine. Exit status 1: something was wrong.',
    )
    .options({
      schedules: count('So many seeds, one after the other', 1000),
      seed: count('The first of them', 1),
      workers: count('Processes', 2),
      bias: {
        choices: biases,
        requiresArg: true,
        describe: 'Lean every schedule towards one kind of trouble',
      },
      disks: often('Nodes with disks, and power failures; otherwise every fourth schedule'),
      interval: often(
        'Disks that nobody waits for unless they are far behind (durability `interval`); otherwise every third with disks',
      ),
      elsewhere: often(
        'Nodes with disks on hosts of their own: nobody tells the manager that one has ended; otherwise every fourth with disks',
      ),
      calm: often('Nodes that tick seldom while they are not busy; otherwise every third'),
      expiry: often('Values that expire, and hosts that sleep; otherwise every fifth'),
      'manager-disk': often('A manager whose disk may be full, or slow; otherwise every seventh'),
      turns: often('Conditional writes that ask for a turn; otherwise every eighth'),
      frames: often('Requests that are offered as frames first; otherwise every other request'),
      verbose: { type: 'boolean', default: false, describe: 'The progress of the workers' },
      trace: {
        type: 'boolean',
        default: false,
        describe: 'Every message of the first seed, in this process',
      },
      all: { type: 'boolean', default: false, describe: 'Go on after the first violation' },
      mutants: { type: 'boolean', default: false, describe: 'Seeded bugs: how soon is each one found?' },
      only: {
        type: 'string',
        requiresArg: true,
        describe: 'Those whose name contains one of these words, with commas between',
      },
      /** Until the first violation, in this process, the result as JSON. */
      hunt: { type: 'boolean', default: false, hidden: true },
      /** This process is one of those that share the seeds. */
      worker: { type: 'boolean', default: false, hidden: true },
    })
    .check(({ seed, schedules, workers, _ }) => {
      for (const [name, value] of Object.entries({ seed, schedules, workers }))
        if (!Number.isSafeInteger(value) || value < 0)
          throw new Error(`--${name} is a whole number from 0 on`);
      if (_.length > 0) throw new Error(`'${_.join(' ')}' is no option`);
      return true;
    })
    .strict()
    .fail((message: string) => {
      console.error(`${message.trim().replace(/\s*\n\s*/g, ' ')} (--help names all options)`);
      process.exit(2);
    })
    .version(false)
    .wrap(null)
    .parserConfiguration({ 'duplicate-arguments-array': false })
    .parseSync();
}
