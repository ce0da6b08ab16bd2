/** The words a shopper types and what they do; reads and prints nothing but lines. */
import { type BasketLine, RefusedError, penniesOf, piecesOf } from './basket.js';
import { catalogue, listedPennies } from './catalogue.js';
import { UsageError } from './errors.js';
import { formatPennies, parsePennies } from './money.js';
import { ShopSession, type SessionOptions } from './shop-session.js';
import { type CartStore } from './store.js';

export const shopHelp = `login NAME                  log in, as somebody else than before perhaps
items                       what the shop sells
add ITEM [QUANTITY] [PRICE] put into the cart; PRICE in pounds, for what the shop does not list
remove ITEM [QUANTITY]      take out of the cart, all of it without QUANTITY
view                        what is in the cart
checkout                    order what is in the cart
orders                      the latest orders
logout                      log out
help                        this
quit                        leave
`;

export interface ShopCommandsOptions extends Omit<SessionOptions, 'id'> {
  readonly store: CartStore;
  /** Makes the id of a new session. */
  readonly newId: () => string;
  readonly print: (text: string) => void;
}

/** @throws UsageError if nobody can be called that, in any cluster */
export function checkUserName(user: string): void {
  if (!/^[\p{L}\p{N}._@-]{1,64}$/u.test(user)) {
    throw new UsageError('a user name has 1 to 64 letters, digits or . _ @ -');
  }
}

type Command = (words: readonly string[]) => Promise<void> | void;

export class ShopCommands {
  readonly #options: ShopCommandsOptions;
  #session: ShopSession | undefined;
  #hasQuit = false;

  /** By name, with the largest number of words that may follow. */
  readonly #commands: Readonly<Record<string, readonly [wordsMax: number, command: Command]>> = {
    login: [1, ([user]) => this.logIn(user)],
    items: [0, () => this.#items()],
    add: [3, (words) => this.#add(words)],
    remove: [2, (words) => this.#remove(words)],
    view: [0, () => this.#view()],
    checkout: [0, () => this.#checkOut()],
    orders: [0, () => this.#orders()],
    logout: [0, () => this.#logOut()],
    help: [0, () => this.#options.print(shopHelp)],
    quit: [0, () => this.#quit()],
    exit: [0, () => this.#quit()],
  };

  constructor(options: ShopCommandsOptions) {
    this.#options = options;
  }

  /** Who is logged in. */
  get user(): string | undefined {
    return this.#session?.user;
  }

  get hasQuit(): boolean {
    return this.#hasQuit;
  }

  /**
   * Does what one line says; an empty line and one that begins with # say nothing.
   * @throws UsageError for a line that cannot be understood, RefusedError for one that cannot be granted
   */
  async run(line: string): Promise<void> {
    const [name, ...words] = line.trim().split(/\s+/);
    if (name === undefined || name === '' || name.startsWith('#')) return;
    const lowerName = name.toLowerCase();
    const entry = Object.hasOwn(this.#commands, lowerName) ? this.#commands[lowerName] : undefined;
    if (entry === undefined) throw new UsageError(`no command '${name}'; 'help' lists them`);
    const [wordsMax, command] = entry;
    if (words.length > wordsMax) throw new UsageError(`too many words after '${lowerName}'; see 'help'`);
    await command(words);
  }

  async logIn(user: string | undefined): Promise<void> {
    if (user === undefined) throw new UsageError('log in as whom?');
    checkUserName(user);
    const { store, newId, print, now, persistence } = this.#options;
    const session = new ShopSession(store, user, {
      id: newId(),
      ...(now === undefined ? {} : { now }),
      ...(persistence === undefined ? {} : { persistence }),
    });
    await session.checkUserName();
    const { lines } = await session.view();
    this.#session = session;
    print(`logged in as ${user}; ${sumUp(lines)}\n`);
  }

  #logOut(): void {
    const { user } = this.#loggedIn();
    this.#session = undefined;
    this.#options.print(`logged out ${user}\n`);
  }

  #quit(): void {
    this.#hasQuit = true;
  }

  #items(): void {
    this.#options.print(
      catalogue
        .map(({ item, pennies }) => `${item.padEnd(20)}${formatPennies(pennies).padStart(10)}\n`)
        .join(''),
    );
  }

  async #add(words: readonly string[]): Promise<void> {
    const session = this.#loggedIn();
    const [item, quantityText, priceText] = words;
    if (item === undefined) throw new UsageError(`add what? 'items' lists what there is`);
    const quantity = parseQuantity(quantityText ?? '1');
    const pennies = priceOf(item, priceText);
    const { lines } = await session.add({ item, quantity, pennies });
    this.#options.print(`added ${quantity} x ${item} at ${formatPennies(pennies)}; ${sumUp(lines)}\n`);
  }

  async #remove(words: readonly string[]): Promise<void> {
    const session = this.#loggedIn();
    const [item, quantityText] = words;
    if (item === undefined) throw new UsageError(`remove what? 'view' lists what is in the cart`);
    const quantity = quantityText === undefined ? undefined : parseQuantity(quantityText);
    const { basket, removed } = await session.remove(item, quantity);
    this.#options.print(`removed ${removed} x ${item}; ${sumUp(basket.lines)}\n`);
  }

  async #view(): Promise<void> {
    const { lines } = await this.#loggedIn().view();
    const rows = lines.map(({ item, quantity, pennies }) => {
      const worth = formatPennies(quantity * pennies).padStart(14);
      return `${item.padEnd(20)}${String(quantity).padStart(8)} x ${formatPennies(pennies).padStart(10)}${worth}\n`;
    });
    this.#options.print(`${rows.join('')}${sumUp(lines)}\n`);
  }

  async #checkOut(): Promise<void> {
    const session = this.#loggedIn();
    const { number, lines } = await session.checkOut();
    this.#options.print(`order ${session.user}/${number}: ${amountOf(lines)}\n`);
  }

  async #orders(): Promise<void> {
    const session = this.#loggedIn();
    const orders = await session.orders();
    const rows = orders.map(
      ({ number, at, lines }) => `${session.user}/${number}  ${at}  ${amountOf(lines)}\n`,
    );
    this.#options.print(rows.length === 0 ? 'no orders yet\n' : rows.join(''));
  }

  #loggedIn(): ShopSession {
    if (this.#session === undefined) throw new RefusedError(`nobody is logged in; 'login NAME' first`);
    return this.#session;
  }
}

function parseQuantity(text: string): number {
  const quantity = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (quantity < 1) throw new UsageError(`'${text}' is no quantity; a whole number from 1`);
  return quantity;
}

function priceOf(item: string, priceText: string | undefined): number {
  const listed = listedPennies(item);
  if (priceText === undefined) {
    if (listed === undefined)
      throw new UsageError(`the shop lists no ${item}; say its price: add ${item} 1 2.55`);
    return listed;
  }
  const pennies = parsePennies(priceText);
  if (pennies === undefined) throw new UsageError(`'${priceText}' is no price; pounds such as 2.55`);
  if (listed !== undefined && listed !== pennies) {
    throw new UsageError(`the price of ${item} is ${formatPennies(listed)}`);
  }
  return pennies;
}

function sumUp(lines: readonly BasketLine[]): string {
  return lines.length === 0 ? 'the cart is empty' : `in the cart: ${amountOf(lines)}`;
}

function amountOf(lines: readonly BasketLine[]): string {
  const pieces = piecesOf(lines);
  return `${pieces} ${pieces === 1 ? 'piece' : 'pieces'}, ${formatPennies(penniesOf(lines))}`;
}
