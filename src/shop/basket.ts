/**
 * The shop's record of one user, one value under `user:NAME`, and its changes as pure functions: what `update`
 * is given. Every function returns a new basket.
 *
 * Checking out touches two keys, and the store changes one key at a time. So it goes through this record:
 *
 *  1. One write of `user:NAME` empties the cart and files its lines as a *pending* order with its number.
 *  2. The order is written to `order:NAME/NUMBER`, if it is not there yet.
 *  3. One write of `user:NAME` takes the pending order away.
 *
 * Whoever dies in between leaves a pending order, and the next to log in, look or check out, in any session, does
 * steps 2 and 3. If the store takes no key as long as the order's, step 3 puts the lines back into the cart. Nothing is lost: the lines are in the cart, or pending, or in the order. Nothing is doubled: the
 * number is fixed by step 1, so a repeated or late step 2 finds the order there and leaves it alone, and a
 * repeated step 3 finds nothing to take away. (Orders are never deleted here; deleting one while a session is
 * between 1 and 2 could bring it back.)
 *
 * Adding is not idempotent by nature, so the record also carries the last step that each of the latest sessions
 * did: a step whose outcome was unknown is simply done again, and does nothing if it had been applied.
 */

/** A wish that the basket does not grant, such as removing what is not in it; nothing is stored. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

// Type aliases rather than interfaces: only those count as plain objects that the store takes.

export type BasketLine = {
  readonly item: string;
  readonly quantity: number;
  /** Price of one. */
  readonly pennies: number;
};

export type Order = {
  /** Counts the user's orders from 1. */
  readonly number: number;
  readonly lines: readonly BasketLine[];
  /** When it was checked out, ISO 8601. */
  readonly at: string;
};

/** One change by one session. Steps of a session are numbered upwards. */
export type Step = {
  readonly session: string;
  readonly step: number;
};

type AppliedStep = Step & {
  /** The order that this step began; 0: none. */
  readonly order: number;
  /** How many pieces more are in the cart since this step; below 0: fewer. */
  readonly pieces: number;
};

export type Basket = {
  readonly lines: readonly BasketLine[];
  /** How many orders were ever begun. */
  readonly orders: number;
  readonly pending: readonly Order[];
  readonly applied: readonly AppliedStep[];
};

/**
 * Sessions whose last step is remembered. A step is repeated within a minute; it would be forgotten too early
 * only if so many other sessions of the same user changed the cart meanwhile.
 */
const sessionsMax = 8;
const quantityMax = 1_000_000;

/** What `user:NAME` holds; a user who was never here has an empty basket. */
export function readBasket(value: unknown): Basket {
  if (value === undefined) return { lines: [], orders: 0, pending: [], applied: [] };
  const isBasket =
    typeof value === 'object' &&
    value !== null &&
    'lines' in value &&
    Array.isArray(value.lines) &&
    'orders' in value &&
    typeof value.orders === 'number' &&
    'pending' in value &&
    Array.isArray(value.pending) &&
    'applied' in value &&
    Array.isArray(value.applied);
  if (!isBasket) throw new RefusedError('the record of this user holds something that is no basket');
  // Only this file writes it.
  return value as Basket;
}

/** More of an item; its price is the latest given. */
export function addItem(basket: Basket, added: BasketLine): Basket {
  const before = basket.lines.find((line) => line.item === added.item);
  const quantity = (before?.quantity ?? 0) + added.quantity;
  if (quantity > quantityMax) throw new RefusedError(`more than ${quantityMax} x ${added.item}`);
  const line = { ...added, quantity };
  const lines =
    before === undefined
      ? [...basket.lines, line]
      : basket.lines.map((other) => (other === before ? line : other));
  return { ...basket, lines };
}

/** Less of an item, or none of it any more. */
export function removeItem(basket: Basket, item: string, quantity = Infinity): Basket {
  const before = basket.lines.find((line) => line.item === item);
  if (before === undefined) throw new RefusedError(`no ${item} in the cart`);
  const left = before.quantity - quantity;
  const lines =
    left > 0
      ? basket.lines.map((line) => (line === before ? { ...line, quantity: left } : line))
      : basket.lines.filter((line) => line !== before);
  return { ...basket, lines };
}

/** Step 1 of a checkout: the lines become a pending order with the next number. */
export function beginOrder(basket: Basket, at: string): Basket {
  if (basket.lines.length === 0) throw new RefusedError('the cart is empty');
  const number = basket.orders + 1;
  const order: Order = { number, lines: basket.lines, at };
  return { ...basket, lines: [], orders: number, pending: [...basket.pending, order] };
}

/** Step 3 of a checkout: the order is stored under its own key. */
export function endOrder(basket: Basket, number: number): Basket {
  return { ...basket, pending: basket.pending.filter((order) => order.number !== number) };
}

/** Instead of step 3, of an order that cannot be stored: its lines are in the cart again. Its number is not used again. */
export function takeOrderBack(basket: Basket, number: number): Basket {
  const order = basket.pending.find((pending) => pending.number === number);
  if (order === undefined) return basket;
  return order.lines.reduce(addItem, endOrder(basket, number));
}

/** Makes a change a step of a session: done again, it does nothing. */
export function applyOnce(basket: Basket, by: Step, change: (basket: Basket) => Basket): Basket {
  const last = basket.applied.find((applied) => applied.session === by.session);
  if (last !== undefined && last.step >= by.step) return basket;
  const after = change(basket);
  const order = after.orders > basket.orders ? after.orders : 0;
  const step = { ...by, order, pieces: piecesOf(after.lines) - piecesOf(basket.lines) };
  const others = basket.applied.filter((applied) => applied.session !== by.session);
  return { ...after, applied: [...others, step].slice(-sessionsMax) };
}

/** The number of the order that this step began, if it is the session's last. */
export function orderBegunBy(basket: Basket, by: Step): number | undefined {
  return appliedStep(basket, by)?.order;
}

/** How many pieces this step took out of the cart, if it is the session's last. */
export function piecesRemovedBy(basket: Basket, by: Step): number | undefined {
  const step = appliedStep(basket, by);
  return step === undefined ? undefined : -step.pieces;
}

function appliedStep(basket: Basket, by: Step): AppliedStep | undefined {
  return basket.applied.find((applied) => applied.session === by.session && applied.step === by.step);
}

/** Pieces in all. */
export function piecesOf(lines: readonly BasketLine[]): number {
  return lines.reduce((sum, line) => sum + line.quantity, 0);
}

/** Worth in pennies. */
export function penniesOf(lines: readonly BasketLine[]): number {
  return lines.reduce((sum, line) => sum + line.quantity * line.pennies, 0);
}
