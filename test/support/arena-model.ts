/** The plainest model of a node's store, a Map of objects, and steps made in both. */
import { expect } from 'chai';
import fc from 'fast-check';
import { ArenaStore } from '../../src/node/storage/arena-store.js';
import { clientIdEnd } from '../../src/protocol/version.js';
import type { Version } from '../../src/protocol/version.js';

export const slotCount = 2;
export const slotOf = (n: number): number => n % slotCount;
/** Few, so that they come again, and enough to make a slot's index grow and split hairs; some are long. */
export const keyOf = (n: number): string =>
  n % 40 === 7 ? `key-${n}`.padEnd(254 + (n % 3), '\xff') : `key-${n}`;

export interface Model {
  readonly n: number;
  version: Version;
  value: number[] | null;
  expiresAtMs: number;
  valid: boolean;
  applied: readonly number[] | null;
}

type Step =
  | {
      readonly do: 'write';
      readonly n: number;
      readonly value: number[] | null;
      readonly version: Version;
      readonly expiresAtMs: number;
    }
  | {
      readonly do: 'writePlain';
      readonly n: number;
      readonly bytes: readonly number[];
      readonly hlc: number;
      readonly clientId: number;
    }
  /** Of the version that is there, or of another one. */
  | { readonly do: 'validatePlain'; readonly n: number; readonly isSame: boolean }
  | { readonly do: 'apply'; readonly n: number; readonly applied: number[] }
  | { readonly do: 'validate' | 'remove'; readonly n: number }
  | { readonly do: 'clear'; readonly slot: number }
  | { readonly do: 'reclaim' };

export const keysMax = 300;
const n = fc.nat(keysMax);
const value = fc.option(
  fc.oneof(
    fc.array(fc.nat(255), { maxLength: 5 }),
    // Of very different lengths, the largest in buffers of their own.
    fc
      .tuple(fc.nat(255), fc.constantFrom(100, 101, 300, 5000, 65_400, 70_000, 70_001))
      .map(([byte, length]) => new Array<number>(length).fill(byte)),
  ),
  { nil: null },
);
const large = 2 ** 48 - 1;
const version = fc.record({
  hlc: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
  clientId: fc.nat({ max: large }),
  seq: fc.constantFrom(0, 0, 0, 1, 2 ** 40),
  epoch: fc.constantFrom(0, 0, 0, 7),
});
const expiresAtMs = fc.constantFrom(0, 0, 0, 1_700_000_000_000);
const applied = fc.array(fc.nat({ max: Number.MAX_SAFE_INTEGER }), { minLength: 1, maxLength: 20 });
export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 40,
      arbitrary: fc.record({ do: fc.constant('write' as const), n, value, version, expiresAtMs }),
    },
    {
      weight: 20,
      arbitrary: fc.record({
        do: fc.constant('writePlain' as const),
        n,
        bytes: fc.array(fc.nat(255), { maxLength: 5 }),
        hlc: fc.maxSafeNat(),
        clientId: fc.nat(clientIdEnd - 1),
      }),
    },
    {
      weight: 10,
      arbitrary: fc.record({ do: fc.constant('validatePlain' as const), n, isSame: fc.boolean() }),
    },
    { weight: 5, arbitrary: fc.record({ do: fc.constant('apply' as const), n, applied }) },
    { weight: 5, arbitrary: fc.record({ do: fc.constant('validate' as const), n }) },
    { weight: 15, arbitrary: fc.record({ do: fc.constant('remove' as const), n }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const), slot: fc.nat(slotCount - 1) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('reclaim' as const) }) },
  ),
  // By itself the library would make but a handful of steps.
  { maxLength: 500, size: 'max' },
);

function apply(store: ArenaStore, model: Map<number, Model>, step: Step): void {
  if (step.do === 'reclaim') {
    store.reclaim();
    return;
  }
  if (step.do === 'clear') {
    store.clearSlot(step.slot);
    for (const key of model.keys()) if (slotOf(key) === step.slot) model.delete(key);
    return;
  }
  const { n: at } = step;
  const record = store.get(slotOf(at), keyOf(at));
  const known = model.get(at);
  if (step.do === 'write') {
    const bytes = step.value === null ? null : Uint8Array.from(step.value);
    store.write(store.getOrInsert(slotOf(at), keyOf(at)), step.version, bytes, step.expiresAtMs, at);
    // What was handed in may be a view of a buffer that is used again.
    bytes?.fill(0xee);
    const { version: its, value: its2, expiresAtMs: until } = step;
    const list = known?.applied ?? null;
    model.set(at, { n: at, version: its, value: its2, expiresAtMs: until, valid: false, applied: list });
  } else if (known !== undefined) {
    if (step.do === 'writePlain') {
      const { hlc, clientId, bytes } = step;
      const memory = Uint8Array.from([1, 2, 3, ...bytes, 4]);
      if (!store.writePlain(record, hlc, clientId, memory.buffer, 3, bytes.length, at)) {
        expect(isPlain(known) && (known.value ?? []).length === bytes.length).to.equal(false);
        return;
      }
      memory.fill(0xee);
      const its = { hlc, clientId, seq: 0, epoch: 0 };
      model.set(at, { ...known, version: its, value: [...bytes], expiresAtMs: 0, valid: false });
    } else if (step.do === 'validatePlain') {
      const { hlc, clientId } = known.version;
      const isDone = store.validatePlain(record, hlc, step.isSame ? clientId : clientId + 1);
      expect(isDone).to.equal(step.isSame && !hasExtension(known));
      if (isDone) known.valid = true;
    } else if (step.do === 'remove') {
      store.remove(record);
      model.delete(at);
    } else if (step.do === 'apply') {
      store.setApplied(record, step.applied);
      known.applied = step.applied;
    } else {
      store.setValid(record);
      known.valid = true;
    }
  }
}

function hasExtension({ n: at, version: { seq, epoch }, expiresAtMs: until, applied: list }: Model): boolean {
  return keyOf(at).length >= 255 || seq !== 0 || epoch !== 0 || until !== 0 || list !== null;
}

/** Of key and value, in a block of 64 KiB that begins with the number of its record. */
const blockBytesMax = 64 * 1024 - 4;

/** Without extension, in a block of the arena. */
export function isPlain(model: Model): boolean {
  return !hasExtension(model) && keyOf(model.n).length + (model.value ?? []).length <= blockBytesMax;
}

/** A store in which those steps were made, and what it must hold. */
export function played(all: readonly Step[]): { store: ArenaStore; model: Map<number, Model> } {
  const store = new ArenaStore();
  const model = new Map<number, Model>();
  for (const step of all) apply(store, model, step);
  return { store, model };
}

/** Plain writes with a version of no interest. */
export function put(store: ArenaStore, slot: number, key: string, bytes: Uint8Array | null): number {
  const record = store.getOrInsert(slot, key);
  store.write(record, { hlc: 1, clientId: 1, seq: 0, epoch: 0 }, bytes, 0, 0);
  return record;
}
