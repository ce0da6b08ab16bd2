/** What a logged-in user does. Several sessions of one user may change the same cart at once: each change is an `update`. */
import {
  RefusedError,
  type Basket,
  type BasketLine,
  type Order,
  type Step,
  addItem,
  applyOnce,
  beginOrder,
  endOrder,
  orderBegunBy,
  piecesRemovedBy,
  readBasket,
  removeItem,
  takeOrderBack,
} from './basket.js';
import { UsageError, codeOf } from './errors.js';
import { type Persistence, defaultPersistence, persist } from './persist.js';
import { type CartStore } from './store.js';

export interface SessionOptions {
  /** Unlike that of any other session of this user. */
  readonly id: string;
  readonly now?: () => Date;
  readonly persistence?: Persistence;
}

type SessionStore = Pick<CartStore, 'get' | 'update' | 'compareAndSet'>;

/** The key of a user's record. */
export function userKey(user: string): string {
  return `user:${user}`;
}

/** The key of one order of a user. */
export function orderKey(user: string, number: number): string {
  return `order:${user}/${number}`;
}

export class ShopSession {
  readonly user: string;
  readonly #store: SessionStore;
  readonly #id: string;
  readonly #now: () => Date;
  readonly #how: Persistence;
  #steps = 0;

  constructor(store: SessionStore, user: string, options: SessionOptions) {
    this.user = user;
    this.#store = store;
    this.#id = options.id;
    this.#now = options.now ?? (() => new Date());
    this.#how = options.persistence ?? defaultPersistence;
  }

  /**
   * Asks the store for the key of the user's first order, so that who can have none learns it before anything is in the cart.
   * @throws UsageError if the store takes no keys so long
   */
  async checkUserName(): Promise<void> {
    try {
      await persist(this.#how, () => this.#store.get(orderKey(this.user, 1)));
    } catch (error) {
      if (codeOf(error) !== 'KEY_TOO_LARGE') throw error;
      throw new UsageError(this.#tooLong(1), { cause: error });
    }
  }

  #tooLong(order: number): string {
    const key = orderKey(this.user, order);
    return (
      `the user name ${this.user} is too long for this cluster: order ${order} would be kept under '${key}', ` +
      `of ${Buffer.byteLength(key)} bytes (--max-key-bytes)`
    );
  }

  /** What is in the cart now; finishes checkouts that broke off. */
  async view(): Promise<Basket> {
    const basket = readBasket(await persist(this.#how, () => this.#store.get(userKey(this.user))));
    return this.#finishOrders(basket);
  }

  /** @throws RefusedError above a million pieces */
  async add(line: BasketLine): Promise<Basket> {
    return this.#change(this.#nextStep(), (basket) => addItem(basket, line));
  }

  /**
   * @param quantity how many at most; all without it
   * @returns the basket after it, and how many pieces went
   * @throws RefusedError if there is none in the cart
   */
  async remove(item: string, quantity?: number): Promise<{ basket: Basket; removed: number }> {
    const step = this.#nextStep();
    const basket = await this.#change(step, (before) => removeItem(before, item, quantity));
    return { basket, removed: piecesRemovedBy(basket, step) ?? 0 };
  }

  /**
   * Turns the cart into an order; the steps are those of basket.ts.
   * @throws RefusedError if the cart is empty, or the store takes no key as long as the order's: the lines are in the cart then
   */
  async checkOut(): Promise<Order> {
    const step = this.#nextStep();
    const at = this.#now().toISOString();
    const basket = await this.#change(step, (before) => beginOrder(before, at));
    const number = orderBegunBy(basket, step);
    await this.#finishOrders(basket);
    const order = number === undefined ? undefined : await this.#order(number);
    if (order === undefined) throw new Error(`order ${number ?? '?'} of ${this.user} was deleted meanwhile`);
    return order;
  }

  /** The user's latest orders, oldest first. */
  async orders(countMax = 10): Promise<Order[]> {
    const { orders } = await this.view();
    const first = Math.max(1, orders - countMax + 1);
    const numbers = Array.from({ length: orders - first + 1 }, (_, index) => first + index);
    const found = await Promise.all(numbers.map((number) => this.#order(number)));
    return found.filter((order) => order !== undefined);
  }

  #nextStep(): Step {
    this.#steps += 1;
    return { session: this.#id, step: this.#steps };
  }

  /** One read-mutate-store of the user's record; the basket it left behind. */
  async #change(step: Step, change: (basket: Basket) => Basket): Promise<Basket> {
    return persist(this.#how, async () => {
      let after: Basket | undefined;
      let refusal: unknown;
      try {
        await this.#store.update(userKey(this.user), (current) => {
          refusal = undefined;
          try {
            after = applyOnce(readBasket(current), step, change);
            return after;
          } catch (error) {
            refusal = error;
            throw error;
          }
        });
      } catch (error) {
        // Ours, and not what the store may make of it.
        throw refusal ?? error;
      }
      return after ?? readBasket(await this.#store.get(userKey(this.user)));
    });
  }

  /** Steps 2 and 3 for every pending order, whoever began it. */
  async #finishOrders(basket: Basket): Promise<Basket> {
    let current = basket;
    for (const order of basket.pending) {
      try {
        // Not applied: it was there already, and it is the same.
        await persist(this.#how, () =>
          this.#store.compareAndSet(orderKey(this.user, order.number), null, order),
        );
      } catch (error) {
        if (codeOf(error) !== 'KEY_TOO_LARGE') throw error;
        await this.#change(this.#nextStep(), (before) => takeOrderBack(before, order.number));
        throw new RefusedError(this.#tooLong(order.number), { cause: error });
      }
      current = await this.#change(this.#nextStep(), (before) => endOrder(before, order.number));
    }
    return current;
  }

  async #order(number: number): Promise<Order | undefined> {
    const value = await persist(this.#how, () => this.#store.get(orderKey(this.user, number)));
    return value as Order | undefined;
  }
}
