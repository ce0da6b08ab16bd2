/** From what a person writes after `--host` to an address that sockets can be bound to. */
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { UsageError } from './exit.js';
import type { Address } from './options.js';

const anyAddresses: ReadonlySet<string> = new Set(['0.0.0.0', '[::]', '[::ffff:0:0]']);

/** Whether it means every address of this machine: to listen on, but nothing that others could dial. */
export function isAnyAddress(address: string): boolean {
  const [plain = ''] = address.split('%');
  // However it is written (`::0`): in a URL it is written in one way only.
  const { hostname } = new URL(plain.includes(':') ? `http://[${plain}]` : `http://${plain}`);
  return anyAddresses.has(hostname);
}

/** The address of a host name. @throws UsageError */
export async function resolveHost(name: string, host: string): Promise<string> {
  // Which would be looked up as no address, and listened on as every one.
  if (host === '') throw new UsageError(`${name} must be an address or the name of a host, not empty`);
  try {
    return (await lookup(host)).address;
  } catch {
    throw new UsageError(`${name}: no such host: '${host}'`);
  }
}

/**
 * The address of this machine from which the other is reached, hence one by which the other reaches this machine.
 * @throws UsageError if there is none
 */
export async function addressTowards({ host, port }: Address): Promise<string> {
  const remote = await resolveHost('--manager', host);
  const socket = createSocket(remote.includes(':') ? 'udp6' : 'udp4');
  try {
    // Connecting a datagram socket looks up the route and sends nothing.
    return await new Promise<string>((resolve, reject) => {
      socket.once('error', reject);
      socket.connect(port, remote, () => {
        resolve(socket.address().address);
      });
    });
  } catch {
    throw new UsageError(`no way from this machine to ${remote}; give --host, an address of this machine`);
  } finally {
    socket.close();
  }
}
