import { expect } from 'chai';
import fc from 'fast-check';
import { formatPennies, formatPounds, parsePennies, parsePrice } from '../../src/shop/money.js';

const pounds = (text: string): bigint => {
  const price = parsePrice(text);
  if (price === undefined) throw new Error(`${text} is no price`);
  return price;
};

describe('shop: money', () => {
  it('adds what floating point cannot', () => {
    expect(formatPounds(pounds('0.1') + pounds('0.2'))).to.equal('0.30');
    expect(formatPounds(3n * pounds('1.15'))).to.equal('3.45');
    expect(formatPounds(-9360n * pounds('0.03'))).to.equal('-280.80');
  });

  it('keeps decimals below a penny and rounds the sum once, half away from zero', () => {
    expect(formatPounds(1000n * pounds('0.001'))).to.equal('1.00');
    expect(formatPounds(pounds('0.005'))).to.equal('0.01');
    expect(formatPounds(pounds('-0.005'))).to.equal('-0.01');
    expect(formatPounds(pounds('-0.004'))).to.equal('0.00');
    expect(formatPounds(pounds('0.004') + pounds('0.004'))).to.equal('0.01');
  });

  it('reads the forms that files write', () => {
    expect(formatPounds(pounds('-11062.06'))).to.equal('-11062.06');
    expect(pounds('2.5500000000000')).to.equal(pounds('2.55'));
    expect(pounds('+2')).to.equal(pounds('2.'));
    expect(pounds('.5')).to.equal(pounds('0.50'));
    expect(pounds('13541.33')).to.equal(135_413_300_000_000n);
  });

  it('refuses what is no decimal number, and never rounds one', () => {
    for (const text of [
      '',
      '.',
      '-',
      'abc',
      '1,5',
      '1e3',
      '0x10',
      '1.2.3',
      'NaN',
      'Infinity',
      '0.00000000001',
      ' 1',
    ]) {
      expect(parsePrice(text), text).to.equal(undefined);
    }
  });

  it('is exact for any amounts in any order', () => {
    const amount = fc.integer({ min: -1e9, max: 1e9 });
    fc.assert(
      fc.property(fc.array(amount, { maxLength: 50 }), (pennies) => {
        const asText = (amount_: number): string =>
          `${amount_ < 0 ? '-' : ''}${Math.floor(Math.abs(amount_) / 100)}.${String(Math.abs(amount_) % 100).padStart(2, '0')}`;
        const sum = pennies.reduce((total, each) => total + pounds(asText(each)), 0n);
        const backwards = pennies.reduceRight((total, each) => total + pounds(asText(each)), 0n);
        expect(sum).to.equal(backwards);
        expect(formatPounds(sum)).to.equal(asText(pennies.reduce((total, each) => total + each, 0)));
      }),
    );
  });

  it('takes prices of the shop as whole pennies', () => {
    expect(parsePennies('2.55')).to.equal(255);
    expect(parsePennies('0.5')).to.equal(50);
    expect(parsePennies('3')).to.equal(300);
    for (const text of ['', '-1', '1.', '.5', '1.234', '1,5', '99999999', 'x']) {
      expect(parsePennies(text), text).to.equal(undefined);
    }
    expect(formatPennies(5)).to.equal('£0.05');
    expect(formatPennies(123_456)).to.equal('£1234.56');
  });
});
