/** Addresses that mean every address of this machine. */
import { BlockList, isIPv6 } from 'node:net';

/** However they are written: `::0` is `::`, too. */
const anyAddresses = new BlockList();
anyAddresses.addAddress('0.0.0.0');
anyAddresses.addAddress('::', 'ipv6');

/** Whether it is one to listen on, but nothing that others could dial. @param address - in numbers */
export function isAnyAddress(address: string): boolean {
  return anyAddresses.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
