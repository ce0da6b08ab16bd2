/** What the carts should hold, summed from the file alone, and whether what the store gave back is that. */
import { readCart } from './invoice-cart.js';
import { type InvoiceLine } from './invoice-csv.js';
import { formatPounds, parsePrice } from './money.js';

/** Lines, pieces and worth of one cart or of many. */
export interface Totals {
  lines: number;
  quantity: number;
  /** In the unit of `parsePrice`. */
  revenue: bigint;
}

/** What one invoice comes to in the file. */
export interface ExpectedCart extends Totals {
  readonly rows: Set<number>;
}

/** The sums of every invoice, by its number. */
export function expectedCarts(lines: Iterable<InvoiceLine>): Map<string, ExpectedCart> {
  const carts = new Map<string, ExpectedCart>();
  for (const line of lines) {
    let cart = carts.get(line.invoice);
    if (cart === undefined) {
      cart = { ...noTotals(), rows: new Set() };
      carts.set(line.invoice, cart);
    }
    cart.rows.add(line.row);
    addLine(cart, line);
  }
  return carts;
}

export function noTotals(): Totals {
  return { lines: 0, quantity: 0, revenue: 0n };
}

export function addTotals(to: Totals, more: Totals): void {
  to.lines += more.lines;
  to.quantity += more.quantity;
  to.revenue += more.revenue;
}

function addLine(to: Totals, line: Omit<InvoiceLine, 'invoice'>): void {
  to.lines += 1;
  to.quantity += line.quantity;
  to.revenue += BigInt(line.quantity) * (parsePrice(line.unitPrice) ?? 0n);
}

/** One cart read back: what it comes to, and in words what is wrong with it. */
export interface ComparedCart {
  readonly found: Totals;
  readonly difference: string | undefined;
}

/** Compares a stored cart with the file: lines, pieces, revenue, and that exactly the right rows are in, each once. */
export function compareCart(expected: ExpectedCart, stored: unknown): ComparedCart {
  const found = noTotals();
  if (stored === undefined) return { found, difference: 'is not in the store' };
  const lines = readCart(stored);
  if (lines === undefined) return { found, difference: 'is no cart' };

  const rows = new Set<number>();
  for (const line of lines) {
    rows.add(line.row);
    addLine(found, line);
  }
  const lost = [...expected.rows].filter((row) => !rows.has(row));
  const strange = [...rows].filter((row) => !expected.rows.has(row));
  const problems = [
    ...differs('lines', expected.lines, found.lines),
    ...differs('quantity', expected.quantity, found.quantity),
    ...differs('revenue', expected.revenue, found.revenue),
    ...(lost.length > 0 ? [`without row ${someOf(lost)}`] : []),
    ...(strange.length > 0 ? [`with strange row ${someOf(strange)}`] : []),
    ...(rows.size < lines.length ? ['with a row twice'] : []),
  ];
  return { found, difference: problems.length > 0 ? problems.join(', ') : undefined };
}

function differs(what: string, expected: number | bigint, found: number | bigint): string[] {
  if (expected === found) return [];
  const show = (amount: number | bigint): string =>
    typeof amount === 'bigint' ? formatPounds(amount) : String(amount);
  return [`${what} ${show(found)} instead of ${show(expected)}`];
}

function someOf(rows: readonly number[]): string {
  return rows.length <= 5 ? rows.join(', ') : `${rows.slice(0, 5).join(', ')} and ${rows.length - 5} more`;
}
