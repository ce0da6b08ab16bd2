/** What the compiler lets a caller store, beside what the encoder takes: an `@ts-expect-error` without an error fails the build. */
import { expect } from 'chai';
import type { Entry, GTStoreClient, Storable, StoreValue } from '../../src/client/index.js';
import { decodeValue, encodeValue } from '../../src/protocol/value-codec.js';
import { ValueError } from '../../src/protocol/value-error.js';
import { versionZero } from '../../src/protocol/version.js';

type Store = Pick<
  GTStoreClient,
  'put' | 'get' | 'getEntry' | 'getMany' | 'compareAndSet' | 'update' | 'putMany'
>;

/** One key, and what is stored there goes through the encoder. */
function oneKey(): Store {
  let held: Buffer | undefined;
  const value = (): StoreValue | undefined => (held === undefined ? undefined : decodeValue(held));
  const store = {
    put(_key: string, next: StoreValue) {
      held = encodeValue(next);
      return Promise.resolve({ version: versionZero });
    },
    get: () => Promise.resolve(value()),
    getEntry: () => Promise.resolve({ value: value(), version: versionZero }),
    getMany: () => Promise.resolve([value()]),
    compareAndSet: (_key: string, _version: null, next: StoreValue) => store.put(_key, next),
    async update(key: string, mutate: (value: StoreValue | undefined) => StoreValue | Promise<StoreValue>) {
      const next = await mutate(value());
      return { value: next, ...(await store.put(key, next)) };
    },
    async putMany(entries: Record<string, StoreValue>) {
      for (const [key, next] of Object.entries(entries)) await store.put(key, next);
    },
  };
  return store as unknown as Store;
}

interface Line {
  readonly article: string;
  quantity: number;
  note?: string;
}
interface Cart {
  lines: Line[];
  readonly byArticle: Record<string, Line>;
  readonly ends: readonly [first: number, last: Line | null];
  parent?: Cart;
  stamp: Uint8Array;
}

const line: Line = { article: 'pen', quantity: 2 };
const cart: Cart = {
  lines: [line],
  byArticle: { pen: line },
  ends: [1, null],
  parent: { lines: [], byArticle: {}, ends: [0, line], stamp: Uint8Array.of() },
  stamp: Uint8Array.of(1, 2),
};

describe('types of values', () => {
  it("takes interfaces, optional fields and one's own generics, and gives back what the caller says is there", async () => {
    const store = oneKey();
    await store.put('cart', cart);
    const back: Cart | undefined = await store.get<Cart>('cart');
    expect(back).to.deep.equal(cart);
    const entry: Entry<Cart> | undefined = await store.getEntry<Cart>('cart');
    expect(entry?.value.lines[0]?.article).to.equal('pen');
    const [first] = await store.getMany<Cart>(['cart']);
    expect(first?.stamp).to.deep.equal(cart.stamp);

    await store.compareAndSet('cart', null, [cart, line] as const);
    expect(await store.get('cart')).to.deep.equal([cart, line]);
    await store.putMany<Cart>({ cart });
    await store.putMany({ one: 1, two: 'two', three: null });
    await store.put('cart', Math.random() < 2 ? line : 'nothing');

    const put = async <T extends StoreValue>(value: T): Promise<T> => {
      await store.put('cart', value);
      return value;
    };
    const putOwn = <T>(value: Storable<T>): Promise<unknown> => store.put<T>('cart', value);
    await put({ a: [1, null] });
    await putOwn(cart);
    expect(await store.get('cart')).to.deep.equal(cart);
  });

  it('gives the function of update the type of its parameter, or that which is said', async () => {
    const store = oneKey();
    await store.put('cart', cart);
    const stored = await store.update('cart', (now: Cart | undefined) => ({
      ...(now ?? cart),
      lines: [...(now?.lines ?? []), line],
    }));
    expect(stored?.value.lines).to.have.length(2);
    const again = await store.update<Cart>('cart', async (now) => {
      await Promise.resolve();
      return { ...(now ?? cart), lines: [] };
    });
    expect(again?.value.lines).to.have.length(0);
    await store.put('count', 1);
    const counted = await store.update('count', (count: number | undefined) => (count ?? 0) + 1);
    expect(counted?.value).to.equal(2);
    const said = await store.update('count', (now) => `${typeof now}, then`);
    expect(said?.value).to.equal('number, then');
  });

  it('refuses when compiled what the encoder refuses', () => {
    const store = oneKey();
    class Shop {
      open = true;
      close(): void {
        this.open = false;
      }
    }
    const unknown: unknown = new Map();
    const refused: (() => Promise<unknown>)[] = [
      // @ts-expect-error -- a Date is no plain object
      () => store.put('key', new Date()),
      // @ts-expect-error -- nor within an object
      () => store.put('key', { at: [new Date()] }),
      // @ts-expect-error -- nor is a Map
      () => store.put('key', new Map()),
      // @ts-expect-error -- nor another array of numbers
      () => store.put('key', new Float32Array(2)),
      // @ts-expect-error -- an instance with methods
      () => store.put('key', new Shop()),
      // @ts-expect-error -- undefined is said by delete()
      () => store.put('key', undefined),
      // @ts-expect-error -- a field that is undefined
      () => store.put('key', { gone: undefined }),
      // @ts-expect-error -- a bigint
      () => store.put('key', { count: 1n }),
      // @ts-expect-error -- a function
      () => store.put('key', () => 1),
      // @ts-expect-error -- a symbol
      () => store.put('key', Symbol.iterator),
      // @ts-expect-error -- a promise that was not awaited
      () => store.put('key', Promise.resolve(1)),
      // @ts-expect-error -- whatever it may be
      () => store.put('key', unknown),
      // @ts-expect-error -- the same in other calls
      () => store.compareAndSet('key', null, { at: new Date() }),
    ];
    for (const call of refused) expect(call, String(call)).to.throw(ValueError);
    // @ts-expect-error -- an update to another type than the one it got
    const other = (): Promise<unknown> => store.update('key', (now: Cart | undefined) => Number(now));
    // @ts-expect-error -- an update to a Date
    const toDate = (): Promise<unknown> => store.update('key', () => new Date());
    expect([other, toDate]).to.have.length(2);
  });
});
