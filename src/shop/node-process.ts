/**
 * Whether a process that would be ended is the node that it is taken for. A process id means something only where the
 * process runs, and the address of a node does not say that: a node in a container shares this machine's addresses, but
 * its id is another process's here.
 */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { basename } from 'node:path';
import { type NodeStatus } from './store.js';

/** Whether the node's address is one of this machine. */
export function isOnThisMachine({ host }: Pick<NodeStatus, 'host'>): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  if (name === 'localhost' || name === '::1' || /^(::ffff:)?127\./.test(name)) return true;
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(({ address }) => address.toLowerCase() === name),
  );
}

/** Where the system tells what a process was started with (Linux): whether that is this node; elsewhere true. */
export function isProcessOf({ id, pid }: Pick<NodeStatus, 'id' | 'pid'>): boolean {
  if (process.platform !== 'linux') return true;
  let words: string[];
  try {
    words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    // It has gone, or is none of ours to look at: then neither to be ended.
    return false;
  }
  const names = words.map((word) => basename(word));
  const forked = names.indexOf('forked-node.js');
  if (forked >= 0) return nodeIdIn(words[forked + 1] ?? '') === id;
  // gtstore node, by itself: which one is not on its command line.
  const command = names.findIndex((name) => name === 'gtstore' || name === 'main.js');
  return command >= 0 && words.includes('node', command + 1);
}

/** Of the argument with which a manager forks a node. */
function nodeIdIn(json: string): unknown {
  try {
    return (JSON.parse(json) as { readonly nodeId?: unknown } | null)?.nodeId;
  } catch {
    // Some other program's file of that name.
    return undefined;
  }
}
