import { expect } from 'chai';
import { compareCart, expectedCarts } from '../../src/shop/cart-comparison.js';
import { holdsRow, readCart, withLine } from '../../src/shop/invoice-cart.js';
import { type InvoiceLine } from '../../src/shop/invoice-csv.js';

const line = (row: number, more: Partial<InvoiceLine> = {}): InvoiceLine => ({
  row,
  invoice: '536365',
  stockCode: '85123A',
  quantity: 6,
  unitPrice: '2.55',
  ...more,
});

const cartOf = (...lines: readonly InvoiceLine[]): string =>
  lines.reduce<string>((cart, each) => withLine(cart === '' ? undefined : cart, each), '');

describe('shop: the cart of an invoice', () => {
  it('gives back the lines that were added', () => {
    const lines = [
      line(3),
      line(1, { quantity: -1, unitPrice: '0.001' }),
      line(12, { stockCode: 'a"\n[7,\tb' }),
    ];
    expect(readCart(cartOf(...lines))).to.deep.equal(lines.map(({ invoice: _, ...cartLine }) => cartLine));
  });

  it('takes a line once, however often it is added', () => {
    const cart = cartOf(line(1), line(12));
    expect(withLine(cart, line(12))).to.equal(cart);
    expect(withLine(cart, line(1))).to.equal(cart);
  });

  it('tells rows apart that look alike', () => {
    const cart = cartOf(line(12), line(3, { stockCode: '\n[5,' }));
    for (const row of [12, 3]) expect(holdsRow(cart, row), String(row)).to.be.true;
    for (const row of [1, 2, 5, 121, 33]) expect(holdsRow(cart, row), String(row)).to.be.false;
    expect(holdsRow(undefined, 1)).to.be.false;
  });

  it('stays far below 1 MiB for the largest invoice of the data set', () => {
    let cart: string | undefined;
    for (let row = 500_000; row < 500_675; row += 1) {
      cart = withLine(
        cart,
        line(row, { stockCode: 'gift_0001_50', quantity: -80_995, unitPrice: '13541.33' }),
      );
    }
    expect(Buffer.byteLength(cart ?? '')).to.be.below(40_000);
  });

  it('is not made of anything else', () => {
    for (const value of [
      undefined,
      null,
      5,
      '',
      'hello',
      '[1,"A",1]\n',
      '[1,"A",1,"x"]\n',
      '[1,"A",1,"1"]',
      [],
    ]) {
      expect(readCart(value), JSON.stringify(value)).to.equal(undefined);
    }
    expect(() => withLine({ a: 1 }, line(1))).to.throw('cart:536365 holds something that is no cart');
  });
});

describe('shop: comparing a cart with the file', () => {
  const lines = [line(1), line(2, { quantity: -1, unitPrice: '0.001' })];
  const expected = expectedCarts(lines).get('536365')!;
  const differenceOf = (stored: unknown): string | undefined => compareCart(expected, stored).difference;

  it('sums lines, pieces and revenue', () => {
    expect(expected).to.deep.include({ lines: 2, quantity: 5, revenue: 152_990_000_000n });
    expect(compareCart(expected, cartOf(...lines))).to.deep.equal({
      found: { lines: 2, quantity: 5, revenue: 152_990_000_000n },
      difference: undefined,
    });
  });

  it('does not mind the order', () => {
    expect(differenceOf(cartOf(...lines.toReversed()))).to.equal(undefined);
  });

  it('finds every kind of difference', () => {
    const row2 = '[2,"85123A",-1,"0.001"]\n';
    expect(differenceOf(undefined)).to.equal('is not in the store');
    expect(differenceOf('nonsense')).to.equal('is no cart');
    expect(differenceOf(cartOf(line(1)))).to.match(
      /^lines 1 instead of 2, quantity 6 instead of 5.* without row 2$/,
    );
    expect(differenceOf(cartOf(...lines) + row2)).to.match(/^lines 3 instead of 2.* with a row twice$/);
    expect(differenceOf(cartOf(...lines, line(9)))).to.match(/with strange row 9$/);
    expect(
      differenceOf(cartOf(line(1, { unitPrice: '2.56' }), line(2, { quantity: -1, unitPrice: '0.001' }))),
    ).to.equal('revenue 15.36 instead of 15.30');
    // The same sums with a row twice instead of another.
    expect(differenceOf(cartOf(line(1)).repeat(2))).to.match(/without row 2, with a row twice$/);
  });
});
