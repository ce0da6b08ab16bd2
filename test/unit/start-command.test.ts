// What `gtstore start` makes of its command line.
import { expect } from 'chai';
import yargs, { type CommandModule } from 'yargs';
import { startCommand } from '../../src/cli/start-command.js';

describe('the options of gtstore start', () => {
  it('that a stored cluster keeps have no default: left out is not the same as given', async () => {
    const silent = { ...startCommand, handler: () => undefined } as CommandModule;
    const { partitioner, maxKeyBytes, maxValueBytes, leaseMs, durability } = await yargs(['start'])
      .command(silent)
      .parseAsync();
    expect([partitioner, maxKeyBytes, maxValueBytes, leaseMs, durability]).to.deep.equal(
      Array.from({ length: 5 }, () => undefined),
    );
  });
});
