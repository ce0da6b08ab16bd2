/**
 * Loaded into nodes before their own code (`--import`): each sync of their disks takes hundreds of milliseconds, as on a disk
 * that others keep busy; or, as long as the file `GTSTORE_TEST_HANG` is there, that of the node it names hangs.
 */
import { ClassicLevel } from 'classic-level';
import { existsSync, readFileSync } from 'node:fs';
import { sep } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const syncMs = { min: 200, max: 600 };
const pollMs = 50;

type Batch = (this: ClassicLevel) => ReturnType<ClassicLevel['batch']>;

const { prototype } = ClassicLevel as unknown as { prototype: { batch: Batch } };
const { batch } = prototype;
const hangFile = process.env['GTSTORE_TEST_HANG'];

/** The file says `node-3`. */
function hangs(location: string): boolean {
  return (
    hangFile !== undefined &&
    existsSync(hangFile) &&
    location.split(sep).includes(readFileSync(hangFile, 'utf8'))
  );
}

async function disturb(location: string): Promise<void> {
  if (hangFile === undefined) await pause(syncMs.min + Math.random() * (syncMs.max - syncMs.min));
  while (hangs(location)) await pause(pollMs);
}

prototype.batch = function () {
  const chained = batch.call(this);
  const write = chained.write.bind(chained);
  chained.write = async (options?: object) => {
    await disturb(this.location);
    await write(options ?? {});
  };
  return chained;
};
