import { PassThrough, Writable } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import { expect } from 'chai';
import { type Order, RefusedError, penniesOf, piecesOf, readBasket } from '../../src/shop/basket.js';
import { UsageError } from '../../src/shop/errors.js';
import { type ShopCommandOptions, runShop } from '../../src/shop/shop-command.js';
import { ShopSession } from '../../src/shop/shop-session.js';
import { type CartStore } from '../../src/shop/store.js';
import { FakeCluster, type FakeFault, seededRandom } from '../support/fake-store.js';

const persistence = { forMs: 5_000, pauseMs: 1 };
const apple = (quantity: number) => ({ item: 'apple', quantity, pennies: 45 });

/** The orders that are stored, in order. */
function ordersOf(cluster: FakeCluster, user: string): Order[] {
  return [...cluster.entries]
    .filter(([key]) => key.startsWith(`order:${user}/`))
    .map(([, { value }]) => value as unknown as Order)
    .sort((a, b) => a.number - b.number);
}

describe('shop: sessions of one user', () => {
  let cluster: FakeCluster;
  let sessions = 0;
  beforeEach(() => {
    cluster = new FakeCluster();
  });

  async function session(wrap = (store: CartStore): CartStore => store): Promise<ShopSession> {
    const id = `s${++sessions}`;
    return new ShopSession(wrap(await cluster.connect()), 'alice', { id, persistence });
  }

  it('add, remove and see the same cart', async () => {
    const [first, second] = [await session(), await session()];
    await first.add(apple(3));
    await second.add({ item: 'mug', quantity: 1, pennies: 795 });
    await second.remove('apple', 1);
    expect((await first.view()).lines).to.deep.equal([apple(2), { item: 'mug', quantity: 1, pennies: 795 }]);
    expect(await first.remove('mug')).to.include({ removed: 1 });
    expect(await first.remove('apple', 5)).to.include({ removed: 2 });
    expect((await second.view()).lines).to.deep.equal([]);
    expect(await second.remove('apple').catch((error: unknown) => error)).to.be.instanceOf(RefusedError);
  });

  it('lose no change when they change it at once', async () => {
    const all = await Promise.all(Array.from({ length: 6 }, () => session()));
    await Promise.all(
      all.map(async (each) => {
        for (let count = 0; count < 10; count += 1) await each.add(apple(1));
      }),
    );
    expect((await all[0]!.view()).lines).to.deep.equal([apple(60)]);
    expect(cluster.updateAttempts).to.be.above(60);
  });

  for (const fault of ['unknown-applied', 'unknown-not-applied', 'unknown-late'] satisfies FakeFault[]) {
    it(`apply a change once after an unknown outcome (${fault})`, async () => {
      const mine = await session();
      cluster.failNext('update', fault);
      await mine.add(apple(2));
      for (let turn = 0; turn < 60; turn += 1) await mine.view();
      expect((await mine.view()).lines).to.deep.equal([apple(2)]);
      cluster.failNext('update', fault);
      expect(await mine.remove('apple', 1)).to.include({ removed: 1 });
      cluster.failNext('update', fault);
      cluster.failNext('compareAndSet', fault);
      const order = await mine.checkOut();
      for (let turn = 0; turn < 60; turn += 1) await mine.view();
      expect(order).to.deep.include({ number: 1, lines: [apple(1)] });
      expect(ordersOf(cluster, 'alice')).to.deep.equal([order]);
    });
  }

  it('check out into an order of its own and an empty cart', async () => {
    const mine = await session();
    await mine.add(apple(2));
    const order = await mine.checkOut();
    expect(order).to.deep.include({ number: 1, lines: [apple(2)] });
    expect(readBasket(cluster.value('user:alice'))).to.deep.include({ lines: [], orders: 1, pending: [] });
    expect(await mine.checkOut().catch((error: unknown) => error)).to.be.instanceOf(RefusedError);
    await mine.add(apple(1));
    expect((await mine.checkOut()).number).to.equal(2);
    expect((await mine.orders()).map(({ number }) => number)).to.deep.equal([1, 2]);
    expect((await mine.orders(1)).map(({ number }) => number)).to.deep.equal([2]);
  });

  it('lose and double no order when the shopper dies after any operation of a checkout', async () => {
    let wasWhole = false;
    for (let operations = 0; !wasWhole; operations += 1) {
      cluster = new FakeCluster();
      await (await session()).add(apple(2));
      let left = operations;
      // After so many operations the session is dead: nothing it asks for happens.
      const mortal = await session((store) => {
        const mortalMethod =
          <Arguments extends unknown[], Result>(method: (...given: Arguments) => Promise<Result>) =>
          (...given: Arguments): Promise<Result> =>
            left-- > 0 ? method.apply(store, given) : Promise.reject(new Error('dead'));
        return Object.assign(Object.create(store) as CartStore, {
          get: mortalMethod(store.get),
          update: mortalMethod(store.update),
          compareAndSet: mortalMethod(store.compareAndSet),
        });
      });
      wasWhole = await mortal.checkOut().then(
        () => true,
        () => false,
      );

      const next = await session();
      const { lines } = await next.view();
      const ordered = ordersOf(cluster, 'alice').map((order) => order.lines);
      if (operations === 0) expect({ lines, ordered }).to.deep.equal({ lines: [apple(2)], ordered: [] });
      else
        expect({ lines, ordered }, `${operations} operations`).to.deep.equal({
          lines: [],
          ordered: [[apple(2)]],
        });
      expect(readBasket(cluster.value('user:alice')).pending).to.deep.equal([]);
      expect(operations).to.be.below(10);
    }
  });

  it('lose and double no piece when they check out at once and anything may fail', async () => {
    for (const seed of [1, 2, 3]) {
      cluster = new FakeCluster();
      const random = seededRandom(seed);
      const faults: readonly FakeFault[] = [
        'unknown-applied',
        'unknown-not-applied',
        'unknown-late',
        'TIMEOUT',
      ];
      cluster.chooseFault = () => (random() < 0.2 ? faults[Math.floor(random() * faults.length)] : undefined);
      const all = await Promise.all(Array.from({ length: 4 }, () => session()));
      await Promise.all(
        all.map(async (each) => {
          for (let count = 0; count < 15; count += 1) {
            await each.add(apple(1));
            if (count % 4 === 3) {
              await each.checkOut().catch((error: unknown) => {
                if (!(error instanceof RefusedError)) throw error;
              });
            }
          }
        }),
      );
      const { lines, pending, orders } = await all[0]!.view();
      const stored = ordersOf(cluster, 'alice');
      expect(pending).to.deep.equal([]);
      expect(stored.map(({ number }) => number)).to.deep.equal(
        Array.from({ length: orders }, (_, index) => index + 1),
      );
      expect(piecesOf([...lines, ...stored.flatMap((order) => order.lines)]), `seed ${seed}`).to.equal(60);
    }
  });

  it('refuse a record that is no basket', async () => {
    cluster.set('user:alice', 'hello');
    const mine = await session();
    expect(await mine.view().catch((error: unknown) => error)).to.be.instanceOf(RefusedError);
    expect(await mine.add(apple(1)).catch((error: unknown) => error)).to.be.instanceOf(RefusedError);
    expect(cluster.value('user:alice')).to.equal('hello');
  });

  it('count in whole pennies', () => {
    expect(penniesOf([apple(3), { item: 'x', quantity: 1, pennies: 1 }])).to.equal(136);
  });
});

describe('shop: commands', () => {
  const cluster = new FakeCluster();
  beforeEach(() => cluster.entries.clear());

  async function run(
    script: string,
    more: Partial<ShopCommandOptions> = {},
  ): Promise<{ code: number; output: string; errors: string }> {
    const output = new PassThrough();
    let errors = '';
    const input = new PassThrough();
    input.end(script);
    let ids = 0;
    const code = await runShop({
      store: await cluster.connect(),
      user: 'alice',
      newId: () => `s${++ids}`,
      persistence,
      now: () => new Date('2010-12-01T08:26:00Z'),
      input,
      output,
      errors: { write: (text) => (errors += text) },
      ...more,
    });
    output.end();
    return { code, output: await textOf(output), errors };
  }

  it('run from a script, without a prompt', async () => {
    const script = `add apple 2\nadd vase 1 2.5\nremove apple 1\n\n# a remark\nview\nCHECKOUT\norders\nlogout\n`;
    expect(await run(script)).to.deep.equal({
      code: 0,
      errors: '',
      output:
        'logged in as alice; the cart is empty\n' +
        'added 2 x apple at £0.45; in the cart: 2 pieces, £0.90\n' +
        'added 1 x vase at £2.50; in the cart: 3 pieces, £3.40\n' +
        'removed 1 x apple; in the cart: 2 pieces, £2.95\n' +
        'apple                      1 x      £0.45         £0.45\n' +
        'vase                       1 x      £2.50         £2.50\n' +
        'in the cart: 2 pieces, £2.95\n' +
        'order alice/1: 2 pieces, £2.95\n' +
        'alice/1  2010-12-01T08:26:00.000Z  2 pieces, £2.95\n' +
        'logged out alice\n',
    });
  });

  it('say how many pieces went, which may be fewer than were to go', async () => {
    const { output } = await run('add apple 2\nremove apple 10\nadd apple 3\nadd tea\nremove apple\n');
    expect(output.match(/removed.*/g)).to.deep.equal([
      'removed 2 x apple; the cart is empty',
      'removed 3 x apple; in the cart: 1 piece, £3.10',
    ]);
  });

  it('go on after a line that fails, report it by its number, and end with 1', async () => {
    const { code, output, errors } = await run('add apple\nbuy apple\n\nremove pear\nadd apple 0\nview\n');
    expect(code).to.equal(1);
    expect(errors.split('\n')).to.deep.equal([
      "line 2: no command 'buy'; 'help' lists them",
      'line 4: no pear in the cart',
      "line 5: '0' is no quantity; a whole number from 1",
      '',
    ]);
    expect(output).to.match(/in the cart: 1 piece, £0\.45\n$/);
  });

  it('report a failure of the store by its line', async () => {
    cluster.failNext('update', 'VALUE_TOO_LARGE');
    const { code, errors } = await run('add apple\nview');
    expect({ code, errors }).to.deep.equal({ code: 1, errors: 'line 1: fake VALUE_TOO_LARGE\n' });
  });

  it('refuse a user whose orders the store could not keep, before anything is in a cart', async () => {
    // As many as order:carol-bob/9999 has.
    cluster.keyBytesMax = 20;
    try {
      const script =
        'login bartholomew-1\nadd apple\nlogin bartholomew\nlogin carol-bob\nadd apple\ncheckout\n';
      const { code, output, errors } = await run(script, { user: undefined });
      expect(code).to.equal(1);
      expect(errors.trimEnd().split('\n')).to.deep.equal([
        'line 1: the user name bartholomew-1 is too long for this cluster: order 1 would be kept under ' +
          "'order:bartholomew-1/1', of 21 bytes (--max-key-bytes)",
        "line 2: nobody is logged in; 'login NAME' first",
      ]);
      expect(output).to.match(/order carol-bob\/1: 1 piece, £0\.45\n$/);
      expect([...cluster.entries.keys()]).to.deep.equal(['user:carol-bob', 'order:carol-bob/1']);
    } finally {
      cluster.keyBytesMax = 250;
    }
  });

  it('give the lines of an order back that the store cannot keep, also those of a checkout that broke off', async () => {
    cluster.keyBytesMax = 20;
    try {
      const lines = [{ item: 'mug', quantity: 2, pennies: 750 }];
      const pending = [{ number: 100, lines, at: 'then' }];
      cluster.set('user:bartholomew', { lines: [], orders: 100, pending, applied: [] });
      const script = 'login bartholomew\nlogin bartholomew\nadd apple\ncheckout\nview\n';
      const { output, errors } = await run(script, { user: undefined });
      const refused = (line: number, number: number): string =>
        `line ${line}: the user name bartholomew is too long for this cluster: order ${number} would be kept ` +
        `under 'order:bartholomew/${number}', of 21 bytes (--max-key-bytes)`;
      expect(errors.trimEnd().split('\n')).to.deep.equal([refused(1, 100), refused(4, 101)]);
      expect(output).to.match(/in the cart: 3 pieces, £15\.45\n$/);
    } finally {
      cluster.keyBytesMax = 250;
    }
  });

  it('need a login, keep one cart for each user, and stop at quit', async () => {
    const script = 'view\nlogin bob\nadd tea\nlogin carol\nview\nlogout\nadd tea\nlogin bob\nquit\nadd tea\n';
    const { output, errors } = await run(script, { user: undefined });
    expect(errors).to.equal(
      "line 1: nobody is logged in; 'login NAME' first\nline 7: nobody is logged in; 'login NAME' first\n",
    );
    expect(output).to.equal(
      'logged in as bob; the cart is empty\n' +
        'added 1 x tea at £3.10; in the cart: 1 piece, £3.10\n' +
        'logged in as carol; the cart is empty\n' +
        'the cart is empty\n' +
        'logged out carol\n' +
        'logged in as bob; in the cart: 1 piece, £3.10\n',
    );
  });

  it('refuse bad words', async () => {
    const lines = [
      'login a b',
      'login',
      'login ../x',
      'add',
      'add vase',
      'add vase 1 cheap',
      'add apple 1 0.01',
      'add apple 1.5',
      'remove',
      'toString',
      'add apple 1000001',
    ];
    const { code, errors } = await run(lines.join('\n'));
    expect(code).to.equal(1);
    expect(errors.trimEnd().split('\n')).to.have.lengthOf(lines.length);
    expect(await run('', { user: 'no body' }).catch((error: unknown) => error)).to.be.instanceOf(UsageError);
  });

  it('have a prompt at a terminal, where a mistake is no failure', async () => {
    const input = Object.assign(new PassThrough(), { isTTY: true });
    input.end('help\nbuy\nquit\n');
    let output = '';
    const screen = new Writable({
      write(chunk: Buffer, _encoding, done) {
        output += chunk.toString();
        done();
      },
    });
    const { code, errors } = await run('', { input, output: screen });
    expect({ code, errors }).to.deep.equal({ code: 0, errors: "no command 'buy'; 'help' lists them\n" });
    expect(output).to.include('alice> ');
  });
});
