/**
 * Notes one change after the other in a journal, as fast as they are saved, and tells how far it is, until it is killed.
 * Change `n` is told by what it leaves behind: `stateAfter`.
 */
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { setImmediate as turn } from 'node:timers/promises';
import { DiskJournal } from '../../src/node/storage/disk-journal.js';
import { ArenaStore } from '../../src/node/storage/arena-store.js';

const keys = 50;
const slots = 3;
/** Changes that may be under way. */
const aheadMax = 400;
const clearEvery = 83;

/** The value of change n, of a length of its own. */
function valueOf(n: number): Buffer {
  const seed = createHash('sha256').update(String(n)).digest();
  return Buffer.concat([Buffer.from(`${n} `), Buffer.alloc(1 + (n % 1500), seed)]);
}

interface Sink {
  write(slot: number, key: string, value: Buffer): void;
  remove(slot: number, key: string): void;
  clear(slot: number): void;
}

function change(n: number, sink: Sink): void {
  const key = `key-${n % keys}`;
  const slot = (n % keys) % slots;
  if (n % clearEvery === 0) sink.clear(n % slots);
  else if (n % 7 === 0) sink.remove(slot, key);
  else sink.write(slot, key, valueOf(n));
}

/** Values by `slot key`, after the changes from 1 to n. */
export function stateAfter(n: number): Map<string, Buffer> {
  const state = new Map<string, Buffer>();
  for (let i = 1; i <= n; i++) {
    change(i, {
      write: (slot, key, value) => state.set(`${slot} ${key}`, value),
      remove: (slot, key) => state.delete(`${slot} ${key}`),
      clear: (slot) => {
        for (const each of state.keys()) if (each.startsWith(`${slot} `)) state.delete(each);
      },
    });
  }
  return state;
}

async function run(directory: string, first: number): Promise<void> {
  const store = new ArenaStore();
  const log = { error: console.error, warn: console.error, info: console.error, debug: () => undefined };
  const journal = await DiskJournal.open({
    directory,
    store,
    durability: 'always',
    log,
    onSaved: () => process.send?.(savedOf(journal)),
  });
  // Each change notes itself last, so that n is known from the number of what is saved.
  const numbers: { readonly noted: number; readonly n: number }[] = [];
  const savedOf = ({ saved }: DiskJournal): number => {
    while ((numbers[0]?.noted ?? Infinity) <= saved) done = numbers.shift()?.n ?? 0;
    return done;
  };
  let done = first - 1;
  await journal.load((slot, key, version, value, expiresAtMs) => {
    const record = store.getOrInsert(slot, key);
    store.write(record, version, value, expiresAtMs, 0);
  });
  for (let n = first; ; n++) {
    change(n, {
      write: (slot, key, value) => {
        const record = store.getOrInsert(slot, key);
        store.write(record, { hlc: n, clientId: 1, seq: 0, epoch: 0 }, value, 0, 0);
        journal.save(slot, record);
      },
      remove: (slot, key) => {
        const record = store.get(slot, key);
        if (record !== 0) store.remove(record);
        journal.remove(slot, key);
      },
      clear: (slot) => {
        store.clearSlot(slot);
        journal.clear(slot);
      },
    });
    // Tells n, also of a clear of nothing.
    journal.label(slots, n);
    numbers.push({ noted: journal.noted, n });
    while (numbers.length > aheadMax) await turn();
    if (n % 40 === 0) await turn();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , directory = '', first = ''] = process.argv;
  // Whoever started it is gone.
  process.once('disconnect', () => process.exit(1));
  await run(directory, Number(first));
}
