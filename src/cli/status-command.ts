/** `gtstore status`: the cluster at a glance, or the whole document; with --hot, the slots that are asked most. */
import type { CommandModule } from 'yargs';
import type { GTStoreClient } from '../client/index.js';
import type { HotSlot, TaskProgress } from '../protocol/admin.js';
import type { ClusterStatus } from '../protocol/status.js';
import { order } from './admin-options.js';
import { jsonOption, managerOption } from './options.js';
import { formatHot, formatStatus } from './status-table.js';
import { printJson, printLine, withClient } from './with-client.js';

interface StatusOptions {
  manager: string;
  json: boolean;
  hot: boolean;
}

/** As many as a person looks at. */
const hotCount = 20;

export const statusCommand: CommandModule<object, StatusOptions> = {
  command: 'status',
  describe: 'Print nodes, slots, keys, and whether every key has all its copies',
  builder: (command) =>
    command
      .option('manager', managerOption)
      .option('json', jsonOption)
      .option('hot', {
        type: 'boolean',
        default: false,
        describe: `Also the ${hotCount} slots that are read and written most`,
      })
      .example('$0 status', 'a table')
      .example('$0 status --hot', 'and where the load is')
      .example('$0 status --json | jq .underReplicatedSlots', '0: every key has all its copies'),
  handler: async ({ manager, json, hot }) => {
    await withClient(manager, async (store) => {
      const status = await store.status();
      const hottest = hot ? ((await order(store, { command: 'hot', count: hotCount })).hot ?? []) : undefined;
      const task = json ? undefined : await taskUnderWay(store);
      if (json) printJson(document(status, hottest));
      else
        printLine(
          [formatStatus(status, task), ...(hottest === undefined ? [] : ['', formatHot(hottest)])].join('\n'),
        );
    });
  },
};

/** Only told to people: programs follow the command that began it. */
async function taskUnderWay(store: GTStoreClient): Promise<TaskProgress | undefined> {
  const answer = await store.admin({ command: 'progress' });
  const task = answer.ok ? answer.task : undefined;
  return task?.state === 'running' ? task : undefined;
}

type Document = Omit<ClusterStatus, 'clusterId' | 'warnings'> & { readonly hot?: readonly HotSlot[] };

/** The fields that programs rely on, in the order in which a person reads them. */
function document(status: ClusterStatus, hot: readonly HotSlot[] | undefined): Document {
  const { epoch, replicas, slots, partitioner, manager, nodes, underReplicatedSlots } = status;
  const shown = { epoch, replicas, slots, partitioner, manager, nodes, underReplicatedSlots };
  return hot === undefined ? shown : { ...shown, hot };
}
