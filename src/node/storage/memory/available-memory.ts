/**
 * How much memory is left before the system ends processes, as Linux tells: of the machine what /proc/meminfo calls available,
 * and of each cgroup with a limit that this process is in, its own and those above it, what its limit leaves. The lowest counts.
 *
 * A cgroup's own count of what it uses is of no help, since it takes in the pages of files that were read: they are dropped as soon
 * as anybody needs the room, and in a container that has read enough files nothing but them is left. So they do not count as
 * used. (`process.availableMemory()` counts them.)
 */
import { readFile } from 'node:fs/promises';
import type { Left } from '../reserve.js';

/** @returns the text of a file; undefined: there is none, or none for us. @throws what may pass */
export type ReadText = (path: string) => Promise<string | undefined>;

/** What version 1 says where there is no limit is more than any machine has. */
const noLimit = 2 ** 60;
const notForUs: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ENODEV', 'EISDIR']);

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (notForUs.has((error as NodeJS.ErrnoException).code)) return undefined;
    throw error;
  }
}

/** @throws Error (rejects) where the system does not tell, or not just now */
export async function availableMemory(read: ReadText = textOf): Promise<Left> {
  const [machine, groups] = await Promise.all([machineMemory(read), groupMemories(read)]);
  const known = [machine, ...groups].filter((each) => each !== undefined);
  let [scarcest] = known;
  if (scarcest === undefined) throw new Error('neither /proc/meminfo nor a cgroup says it');
  for (const each of known) if (each.free < scarcest.free) scarcest = each;
  return { ...scarcest, total: Math.min(...known.map(({ total }) => total)) };
}

async function machineMemory(read: ReadText): Promise<Left | undefined> {
  const text = (await read('/proc/meminfo')) ?? '';
  const total = 1024 * numberAfter(text, 'MemTotal:');
  const free = 1024 * numberAfter(text, 'MemAvailable:');
  return Number.isNaN(free) || Number.isNaN(total) ? undefined : { free, total, of: ' of this machine' };
}

/** Where the files of a cgroup are, and how to read them. */
interface Hierarchy {
  readonly root: string;
  readonly limitFile: string;
  readonly used: (directory: string, read: ReadText) => Promise<number>;
}

const version2: Hierarchy = {
  root: '/sys/fs/cgroup',
  limitFile: 'memory.max',
  used: async (directory, read) => {
    const [current, stat = ''] = await Promise.all([
      read(`${directory}/memory.current`),
      read(`${directory}/memory.stat`),
    ]);
    const files = numberAfter(stat, 'inactive_file') + numberAfter(stat, 'active_file');
    return wholeNumber(current) - files - (numberAfter(stat, 'slab_reclaimable') || 0);
  },
};

/** Its count of what is used takes in caches of the kernel, too, without a word on how much of that could be dropped. */
const version1: Hierarchy = {
  root: '/sys/fs/cgroup/memory',
  limitFile: 'memory.limit_in_bytes',
  used: async (directory, read) => {
    const stat = (await read(`${directory}/memory.stat`)) ?? '';
    return numberAfter(stat, 'total_rss') + (numberAfter(stat, 'total_shmem') || 0);
  },
};

async function groupMemories(read: ReadText): Promise<(Left | undefined)[]> {
  const lines = ((await read('/proc/self/cgroup')) ?? '')
    .split('\n')
    .map((line) => /^\d+:([^:]*):(.*)$/.exec(line));
  const first = lines.find((line) => line?.[1]?.split(',').includes('memory') === true);
  const [hierarchy, line] =
    first === undefined ? [version2, lines.find((each) => each?.[1] === '')] : [version1, first];
  if (line === undefined || line === null) return [];
  // In a container its path may be that on the host, of which nothing is to be seen here but the end: the root.
  const names = (line[2] ?? '').split('/').filter((name) => name !== '' && name !== '..');
  const paths = Array.from({ length: names.length + 1 }, (_, count) =>
    ['', ...names.slice(0, count)].join('/'),
  );
  return Promise.all(paths.map((path) => groupMemory(hierarchy, path, read)));
}

/** undefined: it has no limit, or does not tell. */
async function groupMemory(
  { root, limitFile, used }: Hierarchy,
  path: string,
  read: ReadText,
): Promise<Left | undefined> {
  const total = wholeNumber(await read(`${root}${path}/${limitFile}`));
  if (Number.isNaN(total) || total > noLimit) return undefined;
  const free = total - Math.max(0, await used(`${root}${path}`, read));
  return Number.isNaN(free) ? undefined : { free, total, of: ` of cgroup ${path === '' ? '/' : path}` };
}

/** NaN of what is none, such as `max`. */
function wholeNumber(text: string | undefined): number {
  return text !== undefined && /^\d+\s*$/.test(text) ? Number(text) : NaN;
}

/** The number that follows a word at the beginning of a line; NaN: it is not there. */
function numberAfter(text: string, word: string): number {
  const line = text.startsWith(`${word} `) ? text : text.slice(text.indexOf(`\n${word} `) + 1);
  return line.startsWith(`${word} `) ? parseInt(line.slice(word.length), 10) : NaN;
}
