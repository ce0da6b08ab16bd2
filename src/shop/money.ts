/**
 * Money without floating point: 0.1 + 0.2 is not 0.3 there, and a sum depends on its order.
 *
 * Prices of invoice files may have more than two decimals (other months hold 0.001), so they are whole numbers of
 * a very small unit, and a sum is rounded to the penny once, at the end. The shop's own prices are whole pennies.
 */

/** Decimal places of a price that are kept; a price with more is refused, never rounded. */
const priceDecimalsMax = 10;
const unitsPerPenny = 10n ** BigInt(priceDecimalsMax - 2);

/** A price such as `2.55`, `-11062.06` or `0.001` in units of 10^-10 pounds; undefined if it is none. */
export function parsePrice(text: string): bigint | undefined {
  const [, sign, whole = '', fraction = ''] = /^([+-]?)(\d{0,20})(?:\.(\d*))?$/.exec(text) ?? [];
  const decimals = fraction.replace(/0+$/, '');
  if ((whole === '' && fraction === '') || decimals.length > priceDecimalsMax) return undefined;
  const units = BigInt(whole + decimals.padEnd(priceDecimalsMax, '0'));
  return sign === '-' ? -units : units;
}

/** Units of 10^-10 pounds as pounds with two decimals; half a penny goes away from zero. */
export function formatPounds(units: bigint): string {
  const magnitude = units < 0n ? -units : units;
  const pennies = (magnitude + unitsPerPenny / 2n) / unitsPerPenny;
  return `${units < 0n && pennies > 0n ? '-' : ''}${poundsOf(pennies)}`;
}

/** A price of the shop in whole pennies; undefined unless it is like `3`, `0.5` or `2.55`. */
export function parsePennies(text: string): number | undefined {
  const [, whole, fraction = ''] = /^(\d{1,7})(?:\.(\d{1,2}))?$/.exec(text) ?? [];
  return whole === undefined ? undefined : Number(whole + fraction.padEnd(2, '0'));
}

/** Whole, non-negative pennies as pounds with the currency sign. */
export function formatPennies(pennies: number): string {
  return `£${poundsOf(BigInt(pennies))}`;
}

function poundsOf(pennies: bigint): string {
  return `${pennies / 100n}.${String(pennies % 100n).padStart(2, '0')}`;
}
