/**
 * What `gtstore bench` forks: one client process of the load generator. It lives and dies with the command: signals
 * from the terminal are the command's affair, who lets it finish in order; when the command has gone, it goes, too.
 */
import { ClientProcess, type Order } from '../load/index.js';
import { exitUsage, guardProcess } from './exit.js';

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
guardProcess((text) => {
  process.stderr.write(`gtstore: client process ${process.pid}: ${text}\n`);
});
if (process.send === undefined) {
  process.stderr.write('gtstore: this file is run by gtstore bench\n');
  process.exit(exitUsage);
}
process.on('disconnect', () => process.exit(0));

const client = new ClientProcess((answer) => process.send?.(answer));
process.on('message', (order) => {
  client.onOrder(order as Order);
});
