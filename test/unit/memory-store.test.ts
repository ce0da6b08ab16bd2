/** The store of one node against the plainest model of it: a Map of strings. */
import { expect } from 'chai';
import fc from 'fast-check';
import { MemoryStore } from '../../src/node/storage/memory-store.js';

/** Few, so that they come again, and enough to make a slot's table grow. */
const keyOf = (n: number): string => `key-${n}`;
const slotCount = 2;
const slotOf = (n: number): number => n % slotCount;

type Step =
  | { readonly do: 'put'; readonly n: number; readonly value: number[] | null }
  | { readonly do: 'remove'; readonly n: number }
  | { readonly do: 'clear'; readonly slot: number };

const n = fc.nat(120);
const value = fc.option(fc.array(fc.nat(255), { maxLength: 4 }), { nil: null });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 20, arbitrary: fc.record({ do: fc.constant('put' as const), n, value }) },
    { weight: 10, arbitrary: fc.record({ do: fc.constant('remove' as const), n }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const), slot: fc.nat(slotCount - 1) }) },
  ),
  { maxLength: 600 },
);

function apply(store: MemoryStore, model: Map<number, number[] | null>, step: Step): void {
  if (step.do === 'clear') {
    store.clearSlot(step.slot);
    for (const key of model.keys()) if (slotOf(key) === step.slot) model.delete(key);
    return;
  }
  const { n: at } = step;
  const record = store.get(slotOf(at), keyOf(at));
  if (step.do === 'remove') {
    if (record !== undefined) store.remove(record);
    model.delete(at);
    return;
  }
  const bytes = step.value === null ? null : Uint8Array.from(step.value);
  store.assign(record ?? store.insert(slotOf(at), keyOf(at)), bytes);
  // What was handed in may be a view of a buffer that is used again.
  bytes?.fill(0xee);
  model.set(at, step.value);
}

function contents(store: MemoryStore): Map<string, number[] | null> {
  const found = new Map<string, number[] | null>();
  for (let slot = 0; slot < slotCount; slot++) {
    for (const record of store.records(slot)) {
      expect(found.has(record.key), 'met once').to.equal(false);
      expect(record.slot).to.equal(slot);
      found.set(record.key, record.value === null ? null : [...record.value]);
    }
  }
  return found;
}

describe('memory store', () => {
  it('holds what was stored, and counts it', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const store = new MemoryStore();
        const model = new Map<number, number[] | null>();
        for (const step of all) apply(store, model, step);

        const expected = new Map([...model].map(([at, bytes]) => [keyOf(at), bytes]));
        expect(contents(store)).to.deep.equal(expected);
        for (let at = 0; at <= 120; at++) {
          expect(store.get(slotOf(at), keyOf(at)) !== undefined).to.equal(model.has(at));
        }
        expect(store.keys).to.equal(model.size);
        const bytes = [...model].reduce((sum, [at, v]) => sum + keyOf(at).length + (v?.length ?? 0), 0);
        expect(store.bytes).to.equal(bytes);
      }),
    );
  });

  it('keeps a copy of a value, whatever becomes of the bytes it was given', () => {
    const store = new MemoryStore();
    const record = store.insert(0, 'key');
    const given = Uint8Array.of(1, 2, 3);
    store.assign(record, given);
    given.fill(0);
    expect(record.value).to.deep.equal(Buffer.of(1, 2, 3));
    // Of the same length, and of another.
    store.assign(record, Uint8Array.of(4, 5, 6));
    expect(record.value).to.deep.equal(Buffer.of(4, 5, 6));
    store.assign(record, new Uint8Array(2000).fill(7));
    expect(record.value).to.deep.equal(Buffer.alloc(2000, 7));
  });

  it('meets every record that is there all through a walk, once, however many come and go', () => {
    const store = new MemoryStore();
    const stays = new Set<string>();
    for (let at = 0; at < 1000; at++) {
      store.insert(0, keyOf(at));
      if (at % 3 !== 0) stays.add(keyOf(at));
    }
    const met: string[] = [];
    let next = 1000;
    for (const { key } of store.records(0)) {
      met.push(key);
      for (let i = 0; i < 3 && next < 6000; i++) store.insert(0, keyOf(next++));
      const gone = store.get(0, keyOf(3 * met.length));
      if (gone !== undefined) store.remove(gone);
    }
    expect(new Set(met).size).to.equal(met.length);
    expect([...stays].filter((key) => !met.includes(key))).to.deep.equal([]);
  });
});
