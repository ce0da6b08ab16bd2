/** `gtstore status`: the cluster at a glance, or the whole document. */
import type { CommandModule } from 'yargs';
import type { ClusterStatus } from '../protocol/status.js';
import { jsonOption, managerOption } from './options.js';
import { formatStatus } from './status-table.js';
import { printJson, printLine, withClient } from './with-client.js';

interface StatusOptions {
  manager: string;
  json: boolean;
}

export const statusCommand: CommandModule<object, StatusOptions> = {
  command: 'status',
  describe: 'Print nodes, slots, keys, and whether every key has all its copies',
  builder: (command) =>
    command
      .option('manager', managerOption)
      .option('json', jsonOption)
      .example('$0 status', 'a table')
      .example('$0 status --json | jq .underReplicatedSlots', '0: every key has all its copies'),
  handler: async ({ manager, json }) => {
    await withClient(manager, async (store) => {
      const status = await store.status();
      if (json) printJson(document(status));
      else printLine(formatStatus(status));
    });
  },
};

/** The fields that programs rely on, in the order in which a person reads them. */
function document(status: ClusterStatus): Omit<ClusterStatus, 'clusterId'> {
  const { epoch, replicas, slots, partitioner, manager, nodes, underReplicatedSlots } = status;
  return { epoch, replicas, slots, partitioner, manager, nodes, underReplicatedSlots };
}
