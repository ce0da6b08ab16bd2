/**
 * Loaded into a node before its own code (`--import`): its disk takes hundreds of milliseconds for each sync, as one does that
 * others keep busy.
 */
import { ClassicLevel } from 'classic-level';
import { setTimeout as pause } from 'node:timers/promises';

const syncMs = { min: 200, max: 600 };

type Batch = (this: ClassicLevel) => ReturnType<ClassicLevel['batch']>;

const { prototype } = ClassicLevel as unknown as { prototype: { batch: Batch } };
const { batch } = prototype;

prototype.batch = function () {
  const chained = batch.call(this);
  const write = chained.write.bind(chained);
  chained.write = async (options?: object) => {
    await pause(syncMs.min + Math.random() * (syncMs.max - syncMs.min));
    await write(options ?? {});
  };
  return chained;
};
