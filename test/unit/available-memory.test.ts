// D4: what counts as memory that is left, for a node on a machine and in containers of all kinds.
import { expect } from 'chai';
import { availableMemory } from '../../src/node/storage/memory/available-memory.js';
import type { ReadText } from '../../src/node/storage/memory/available-memory.js';
import type { Left } from '../../src/node/storage/reserve.js';

const MB = 2 ** 20;
const machine = { '/proc/meminfo': meminfo(16_000, 9_000) };
const cgroups = '/sys/fs/cgroup';

function meminfo(totalMb: number, availableMb: number): string {
  const kilobytes = (mb: number): string => `${mb * 1024} kB`;
  return `MemTotal:       ${kilobytes(totalMb)}\nMemFree:        ${kilobytes(10)}\nMemAvailable:   ${kilobytes(availableMb)}\nBuffers: 1 kB\n`;
}

/** As cgroup v2 has it. */
function group(
  path: string,
  maxMb: number | 'max',
  stat: Readonly<Record<string, number>>,
): Record<string, string> {
  const { anon = 0, shmem = 0, inactive_file = 0, active_file = 0, slab_reclaimable = 0 } = stat;
  const current = anon + shmem + inactive_file + active_file + slab_reclaimable;
  // `file` has memory that nobody can drop in it, too.
  const file = shmem + inactive_file + active_file;
  const all = { anon, file, shmem, inactive_file, active_file, slab: slab_reclaimable + 1, slab_reclaimable };
  const lines = Object.entries(all).map(([name, mb]) => `${name} ${mb * MB}`);
  return {
    [`${cgroups}${path}/memory.max`]: maxMb === 'max' ? 'max\n' : `${maxMb * MB}\n`,
    [`${cgroups}${path}/memory.current`]: `${current * MB}\n`,
    [`${cgroups}${path}/memory.stat`]: `${lines.join('\n')}\n`,
  };
}

/** In MB. */
async function left(files: Readonly<Record<string, string>>): Promise<Left> {
  const read: ReadText = (path) => Promise.resolve(files[path]);
  const { free, total, of = '' } = await availableMemory(read);
  return { free: free / MB, total: total / MB, of };
}

describe('the memory that is left', () => {
  it('D4: is what the machine calls available, where no cgroup has a limit', async () => {
    const ofMachine = { free: 9_000, total: 16_000, of: ' of this machine' };
    expect(await left(machine), 'no cgroups').to.deep.equal(ofMachine);
    const inGroup = { ...machine, '/proc/self/cgroup': '0::/user.slice/shell\n' };
    expect(await left(inGroup), 'cgroups that do not tell').to.deep.equal(ofMachine);
    const unlimited = {
      ...inGroup,
      ...group('/user.slice/shell', 'max', { anon: 100 }),
      ...group('/user.slice', 'max', { anon: 15_990 }),
    };
    expect(await left(unlimited), 'no limit').to.deep.equal(ofMachine);
  });

  it('D4: in a container that has read many files, those do not count as used, nor what the kernel keeps to drop', async () => {
    const files = { inactive_file: 700, active_file: 250, slab_reclaimable: 50 };
    const full: Record<string, string> = {
      ...machine,
      '/proc/self/cgroup': '0::/\n',
      ...group('', 1024, { anon: 20, ...files }),
    };
    expect(full[`${cgroups}/memory.current`], 'nearly the limit').to.equal(`${1020 * MB}\n`);
    expect(await left(full)).to.deep.equal({ free: 1004, total: 1024, of: ' of cgroup /' });
  });

  it('D4: what lies in a file system in memory cannot be dropped, and counts', async () => {
    const files = { ...machine, '/proc/self/cgroup': '0::/\n', ...group('', 1024, { anon: 20, shmem: 900 }) };
    expect(await left(files)).to.include({ free: 104 });
  });

  it('D4: of nested limits the one that leaves least counts, whichever that is', async () => {
    const at = {
      ...machine,
      '/proc/self/cgroup': '0::/pods/pod/node\n',
      ...group('/pods', 'max', { anon: 9000 }),
    };
    const inner = {
      ...at,
      ...group('/pods/pod', 4000, { anon: 500 }),
      ...group('/pods/pod/node', 1000, { anon: 400 }),
    };
    expect(await left(inner)).to.deep.equal({ free: 600, total: 1000, of: ' of cgroup /pods/pod/node' });
    const outer = {
      ...at,
      ...group('/pods/pod', 4000, { anon: 3900 }),
      ...group('/pods/pod/node', 1000, { anon: 400 }),
    };
    expect(await left(outer)).to.deep.equal({ free: 100, total: 1000, of: ' of cgroup /pods/pod' });
    const none = { ...inner, '/proc/meminfo': meminfo(16_000, 50) };
    expect(await left(none)).to.deep.equal({ free: 50, total: 1000, of: ' of this machine' });
  });

  it('D4: a container that is shown its path on the host finds its limit at the root that it sees', async () => {
    const shown = { ...machine, '/proc/self/cgroup': '0::/docker/0123\n', ...group('', 512, { anon: 12 }) };
    expect(await left(shown)).to.deep.equal({ free: 500, total: 512, of: ' of cgroup /' });
    const above = { ...shown, '/proc/self/cgroup': '0::/../../docker/0123\n' };
    expect(await left(above)).to.include({ free: 500 });
  });

  it('D4: cgroups of version 1, files and caches of the kernel apart, too', async () => {
    const root = `${cgroups}/memory`;
    const stat = (rssMb: number, shmemMb: number): string =>
      `cache ${900 * MB}\nrss 1\nshmem 2\ntotal_cache ${900 * MB}\ntotal_rss ${rssMb * MB}\ntotal_shmem ${shmemMb * MB}\n`;
    const files = {
      ...machine,
      '/proc/self/cgroup': '9:name=systemd:/\n4:cpu,memory:/docker/0123\n0::/\n',
      // Version 2 is there for other things.
      ...group('', 100, { anon: 99 }),
      [`${root}/docker/0123/memory.limit_in_bytes`]: `${1024 * MB}\n`,
      [`${root}/docker/0123/memory.usage_in_bytes`]: `${1023 * MB}\n`,
      [`${root}/docker/0123/memory.stat`]: stat(100, 24),
      [`${root}/docker/memory.limit_in_bytes`]: '9223372036854771712\n',
      [`${root}/docker/memory.stat`]: stat(20_000, 0),
    };
    expect(await left(files)).to.deep.equal({ free: 900, total: 1024, of: ' of cgroup /docker/0123' });
  });

  it('D4: a cgroup that does not tell all of it is left out: what cannot be told from files must not count', async () => {
    const files: Record<string, string> = {
      ...machine,
      '/proc/self/cgroup': '0::/\n',
      ...group('', 1024, { inactive_file: 1000 }),
    };
    for (const name of ['memory.current', 'memory.stat'])
      expect(await left({ ...files, [`${cgroups}/${name}`]: '' }), name).to.include({
        free: 9_000,
        total: 16_000,
      });
  });

  it('D4: is not known where there is neither, and told as such', async () => {
    const nobody = await left({}).catch((error: unknown) => String(error));
    expect(nobody).to.match(/neither \/proc\/meminfo nor a cgroup/);
    const odd = await left({ '/proc/meminfo': 'MemTotal: 12 kB\n' }).catch((error: unknown) => String(error));
    expect(odd).to.match(/neither/);
  });

  it('D4: too many open files say nothing of memory', async () => {
    const read: ReadText = () => Promise.reject(Object.assign(new Error('EMFILE'), { code: 'EMFILE' }));
    expect(await availableMemory(read).catch((error: unknown) => String(error))).to.match(/EMFILE/);
  });

  it('D4: this machine tells, if it is Linux', async function () {
    if (process.platform !== 'linux') this.skip();
    const { free, total } = await availableMemory();
    expect(total).to.be.above(64 * MB);
    expect(free).to.be.within(1 * MB, total);
  });
});
