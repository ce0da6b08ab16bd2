/**
 * How the cart of one invoice lies in the store: one string, one line of JSON an invoice line,
 *
 *     [12,"85123A",6,"2.55"]      row in the file, stock code, quantity, unit price
 *
 * - The row number makes adding a line idempotent: whoever does not know whether an addition was applied looks
 *   whether the row is in. JSON writes a line end inside a text as `\n`, so a line that begins with `[12,` can
 *   only be row 12.
 * - A string, because the cart is read and written whole once a line, n^2/2 lines in all: as an array it would be
 *   taken apart and built anew each time; as a string, adding is one concatenation and one search. The largest
 *   invoice of the data set, 675 lines, has some 20 kB so, far below the 1 MiB that a value may have.
 * - No description: the stock code stands for it, and it would double the size.
 */
import { type InvoiceLine } from './invoice-csv.js';
import { parsePrice } from './money.js';

/** A line as a cart holds it; the key names the invoice. */
export type CartLine = Omit<InvoiceLine, 'invoice'>;

/** The key of an invoice's cart. */
export function cartKey(invoice: string): string {
  return `cart:${invoice}`;
}

/** Whether that row is in. */
export function holdsRow(cart: unknown, row: number): boolean {
  if (typeof cart !== 'string') return false;
  return cart.startsWith(`[${row},`) || cart.includes(`\n[${row},`);
}

/** The cart (`undefined`: none yet) with the line in it, once, however often this is done. */
export function withLine(cart: unknown, line: InvoiceLine): string {
  if (cart !== undefined && typeof cart !== 'string') {
    throw new Error(`${cartKey(line.invoice)} holds something that is no cart`);
  }
  if (holdsRow(cart, line.row)) return cart ?? '';
  const fields = [line.row, line.stockCode, line.quantity, line.unitPrice];
  return `${cart ?? ''}${JSON.stringify(fields)}\n`;
}

/** The lines of a stored cart; undefined if it is none. */
export function readCart(cart: unknown): CartLine[] | undefined {
  if (typeof cart !== 'string' || !cart.endsWith('\n')) return undefined;
  const lines = cart.slice(0, -1).split('\n').map(readLine);
  return lines.every((line) => line !== undefined) ? lines : undefined;
}

function readLine(text: string): CartLine | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(fields) || fields.length !== 4) return undefined;
  const [row, stockCode, quantity, unitPrice] = fields as unknown[];
  if (!Number.isSafeInteger(row) || !Number.isSafeInteger(quantity)) return undefined;
  if (typeof stockCode !== 'string' || typeof unitPrice !== 'string') return undefined;
  if (parsePrice(unitPrice) === undefined) return undefined;
  return { row: row as number, stockCode, quantity: quantity as number, unitPrice };
}
