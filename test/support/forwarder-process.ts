/**
 * Run on a host that stands before another: hands on what comes to the first host:port to the second. Ends with its parent.
 */
import { type Socket, connect, createServer } from 'node:net';
import { pipeline } from 'node:stream';

function addressOf(text = ''): { host: string; port: number } {
  const [host = '', port] = text.split(':');
  return { host, port: Number(port) };
}

const [, , from, to] = process.argv;

function hand(one: Socket, other: Socket): void {
  one.setNoDelay(true);
  // Whichever way it ends, both ends of it do.
  pipeline(one, other, () => one.destroy());
}

const server = createServer({ allowHalfOpen: true }, (source) => {
  const target = connect({ ...addressOf(to), allowHalfOpen: true });
  hand(source, target);
  hand(target, source);
});
server.listen(addressOf(from), () => process.stdout.write('forwarding\n'));
process.once('disconnect', () => process.exit());
