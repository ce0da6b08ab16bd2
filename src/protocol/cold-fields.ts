/**
 * Kinds of fields that the table of cold-codec.ts is made of. Each turns a value into what msgpackr writes and what
 * msgpackr has read into a value, and refuses, on both ways, what is out of its bounds: going out it is a mistake of
 * ours, coming in one of the peer's.
 *
 * Records and lists nest as msgpack arrays, to the fixed depth of the table: hostile nesting cannot go deeper.
 */
import { ProtocolError } from './errors.js';
import { utf8Length } from './msgpack-writer.js';
import { fromKeyBytes, toKeyBytes } from './partition.js';

export interface Field<T> {
  /** Values, containers included, that msgpack has for it at most. */
  readonly itemsMax: number;
  /** @throws ProtocolError if `value` is out of bounds */
  toWire(value: T, name: string): unknown;
  /** @throws ProtocolError naming the field, if `wire` does not fit */
  fromWire(wire: unknown, name: string): T;
}

/** Control characters, ends of lines, and what turns the direction of the text that follows. */
export const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;

/** A field for every property of `T`, in the order in which they travel. */
export type FieldsOf<T> = { readonly [K in keyof T]-?: Field<T[K]> };

/** A field that travels as it is. */
function asIs<T>(check: (value: unknown, name: string) => T): Field<T> {
  return { itemsMax: 1, toWire: check, fromWire: check };
}

/** An integer from `min` to `max`. */
export function uint(max: number = Number.MAX_SAFE_INTEGER, min = 0): Field<number> {
  return asIs((value, name) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value))
      throw new ProtocolError(`${name} is no integer`);
    if (value > max || value < min) throw new ProtocolError(`${name} ${value}, not ${min} to ${max}`);
    return value;
  });
}

/** An id from 0 to `max`, or -1 for none. */
export function uintOrMinusOne(max: number): Field<number> {
  return uint(max, -1);
}

/** One of the numbers 0 to `max`, which are all the members of `E`. */
export function enumeration<E extends number>(max: E): Field<E> {
  return uint(max) as Field<E>;
}

/** One of these words. */
export function oneOf<W extends string>(words: readonly W[]): Field<W> {
  return asIs((value, name) => {
    const word = words.find((each) => each === value);
    if (word === undefined) throw new ProtocolError(`${name} is none of ${words.join(', ')}`);
    return word;
  });
}

export const bool: Field<boolean> = asIs((value, name) => {
  if (typeof value !== 'boolean') throw new ProtocolError(`${name} is no boolean`);
  return value;
});

/** Text of up to `bytesMax` bytes of UTF-8. */
export function text(bytesMax: number): Field<string> {
  return asIs((value, name) => {
    if (typeof value !== 'string') throw new ProtocolError(`${name} is no string`);
    const bytes = utf8Length(value);
    if (bytes < 0) throw new ProtocolError(`${name} with a lone surrogate`);
    if (bytes > bytesMax) throw new ProtocolError(`${name} of ${bytes} bytes; the limit is ${bytesMax}`);
    return value;
  });
}

/** The same, of characters that can be shown in a line: it is for logs and tables. */
export function printable(bytesMax: number): Field<string> {
  const field = text(bytesMax);
  const check = (value: unknown, name: string): string => {
    const shown = field.fromWire(value, name);
    if (unprintable.test(shown)) throw new ProtocolError(`${name} with a character that cannot be printed`);
    return shown;
  };
  return asIs(check);
}

/** Up to `lengthMax` bytes. What is read shares no memory with the frame. */
export function bytes(lengthMax: number): Field<Uint8Array> {
  const checked = (value: unknown, name: string): Uint8Array => {
    if (!(value instanceof Uint8Array)) throw new ProtocolError(`${name} is no bytes`);
    if (value.length > lengthMax)
      throw new ProtocolError(`${name} of ${value.length} bytes; the limit is ${lengthMax}`);
    return value;
  };
  return { itemsMax: 1, toWire: checked, fromWire: (wire, name) => Uint8Array.from(checked(wire, name)) };
}

/** Key bytes (partition.ts) of up to `bytesMax` bytes; on the wire the key itself. */
export function keyBytes(bytesMax: number): Field<string> {
  const key = text(bytesMax);
  return {
    itemsMax: 1,
    toWire: (value, name) => key.toWire(fromKeyBytes(value), name),
    fromWire: (wire, name) => toKeyBytes(key.fromWire(wire, name)),
  };
}

export function nullable<T>(field: Field<T>): Field<T | null> {
  return {
    itemsMax: field.itemsMax,
    toWire: (value, name) => (value === null ? null : field.toWire(value, name)),
    fromWire: (wire, name) => (wire === null ? null : field.fromWire(wire, name)),
  };
}

export function listOf<T>(field: Field<T>, lengthMax: number): Field<readonly T[]> {
  return {
    itemsMax: 1 + lengthMax * field.itemsMax,
    toWire: (values, name) => checkLength(values, lengthMax, name).map((value) => field.toWire(value, name)),
    fromWire: (wire, name) =>
      checkLength(arrayOf(wire, name), lengthMax, name).map((item) => field.fromWire(item, name)),
  };
}

function checkLength<V>(values: readonly V[], lengthMax: number, name: string): readonly V[] {
  if (values.length > lengthMax)
    throw new ProtocolError(`${values.length} ${name}; the limit is ${lengthMax}`);
  return values;
}

/**
 * A list of integers. What is read is an array of one kind to the engine, whichever way this code is compiled: hot code
 * looks members up in such lists, and would be compiled anew for each further kind.
 */
export function uintsOf(field: Field<number>, lengthMax: number): Field<readonly number[]> {
  return {
    ...listOf(field, lengthMax),
    fromWire: (wire, name) => {
      const values: number[] = [];
      for (const item of checkLength(arrayOf(wire, name), lengthMax, name))
        values.push(field.fromWire(item, name));
      return values;
    },
  };
}

export function pairOf<A, B>(first: Field<A>, second: Field<B>): Field<readonly [A, B]> {
  return {
    itemsMax: 1 + first.itemsMax + second.itemsMax,
    toWire: ([a, b], name) => [first.toWire(a, name), second.toWire(b, name)],
    fromWire: (wire, name) => {
      const items = arrayOf(wire, name, 2);
      return [first.fromWire(items[0], name), second.fromWire(items[1], name)];
    },
  };
}

/** A record without its field names. `check` looks at what was read as a whole and throws a ProtocolError. */
export function recordOf<T extends object>(fields: FieldsOf<T>, check?: (value: T) => void): Field<T> {
  const body = new RecordBody(fields);
  return {
    itemsMax: 1 + body.itemsMax,
    toWire: (value) => body.toWire(value),
    fromWire: (wire, name) => {
      const value = {} as T;
      body.fromWire(arrayOf(wire, name, body.length), 0, value);
      check?.(value);
      return value;
    },
  };
}

/** The fields of a record, one after the other. */
export class RecordBody<T extends object> {
  readonly length: number;
  /** Of all its fields. */
  readonly itemsMax: number;
  private readonly fields: readonly (readonly [keyof T & string, Field<T[keyof T & string]>])[];

  constructor(fields: FieldsOf<T>) {
    const names = Object.keys(fields) as (keyof T & string)[];
    this.fields = names.map((name) => [name, fields[name]]);
    this.length = this.fields.length;
    this.itemsMax = this.fields.reduce((sum, [, field]) => sum + field.itemsMax, 0);
  }

  toWire(value: T): unknown[] {
    return this.fields.map(([name, field]) => field.toWire(value[name], name));
  }

  /** Reads all fields, beginning at element `start`, into `into`, which has the properties of `T` afterwards. */
  fromWire(wire: readonly unknown[], start: number, into: T): void {
    this.fields.forEach(([name, field], i) => {
      into[name] = field.fromWire(wire[start + i], name);
    });
  }
}

/** @throws ProtocolError unless `wire` is an array, of that length if one is given */
export function arrayOf(wire: unknown, name: string, length?: number): readonly unknown[] {
  if (!Array.isArray(wire)) throw new ProtocolError(`${name} is no array`);
  const items = wire as readonly unknown[];
  if (length !== undefined && items.length !== length) {
    throw new ProtocolError(`${name} of ${items.length} elements, not ${length}`);
  }
  return items;
}
