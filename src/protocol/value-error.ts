/** Why a value cannot be stored, in words that say where it is and what to do instead. */

/** Part of a value cannot be stored; the client reports it as INVALID_ARGUMENT. */
export class ValueError extends TypeError {
  override readonly name = 'ValueError';
  /** Where, as an expression: `value.items[3].price`. */
  readonly path: string;

  constructor(path: string, reason: string) {
    super(`${path}: ${reason}`);
    this.path = path;
  }
}

/** The encoding would pass the limit; the client reports it as VALUE_TOO_LARGE. */
export class ValueTooLargeError extends RangeError {
  override readonly name = 'ValueTooLargeError';

  /** @param bytesMax - the limit, in bytes */
  constructor(bytesMax: number) {
    super(`the encoded value has more than ${bytesMax} bytes`);
  }
}

export const loneSurrogate =
  'a string with a lone surrogate cannot be stored; see String.prototype.toWellFormed';

const keyCharsShown = 40;

/** Keys and indexes as an expression over `value`. */
export function valuePath(steps: readonly (string | number)[]): string {
  return `value${steps.map(pathStep).join('')}`;
}

function pathStep(step: string | number): string {
  if (typeof step === 'number') return `[${step}]`;
  if (/^[A-Za-z_$][\w$]*$/.test(step) && step.length <= keyCharsShown) return `.${step}`;
  const shown = step.length > keyCharsShown ? `${step.slice(0, keyCharsShown)}...` : step;
  return `[${JSON.stringify(shown)}]`;
}

/** Classes that are stored as something else; the first that fits counts. */
const remedies: readonly (readonly [abstract new (...args: never[]) => object, string])[] = [
  [Date, 'store its ISO string or its milliseconds'],
  [Map, 'store Object.fromEntries of it, or [...it]'],
  [Set, 'store [...it]'],
  [RegExp, 'store its source and flags'],
  [Error, 'store its name and message'],
  [Promise, 'await it first'],
  [ArrayBuffer, 'store a Uint8Array of it'],
  [SharedArrayBuffer, 'store a Uint8Array of it'],
];

/** Says what `value`, which is not a StoreValue, is and what to store in its place. */
export function refusal(value: unknown): string {
  switch (typeof value) {
    case 'undefined':
      return 'undefined cannot be stored; leave it out, or store null';
    case 'bigint':
      return 'a bigint cannot be stored; store it as a string';
    case 'object':
      return value === null ? 'null can be stored' : refusalOfObject(value);
    default:
      return `a ${typeof value} cannot be stored`;
  }
}

function refusalOfObject(value: object): string {
  const name = className(value);
  if (ArrayBuffer.isView(value)) {
    return `${article(name)} cannot be stored; store new Uint8Array(it.buffer, it.byteOffset, it.byteLength)`;
  }
  const remedy = remedies.find(([known]) => value instanceof known)?.[1];
  if (remedy !== undefined) return `${article(name)} cannot be stored; ${remedy}`;
  return `an instance of ${name} cannot be stored; store a plain object or array made from it`;
}

function className(value: object): string {
  const { constructor } = value as { constructor: unknown };
  return typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'an unnamed class';
}

function article(name: string): string {
  return `${/^[AEIO]/.test(name) ? 'an' : 'a'} ${name}`;
}
