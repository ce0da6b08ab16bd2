/**
 * Kinds of fields that the table of cold-codec.ts is made of. Each can write a value and read it back, and refuses,
 * on both ways, what is out of its bounds: going out it is a mistake of ours, coming in one of the peer's.
 *
 * Records and lists nest as msgpack arrays, to the fixed depth of the table: hostile nesting cannot go deeper.
 */
import { ProtocolError } from './errors.js';
import type { MsgpackReader } from './msgpack-reader.js';
import type { MsgpackWriter } from './msgpack-writer.js';
import { fromKeyBytes, toKeyBytes } from './partition.js';

export interface Field<T> {
  /** @throws ProtocolError if `value` is out of bounds */
  write(writer: MsgpackWriter, value: T, name: string): void;
  /** @throws ProtocolError naming the field, if what comes next does not fit */
  read(reader: MsgpackReader, name: string): T;
}

/** A field for every property of `T`, in the order in which they travel. */
export type FieldsOf<T> = { readonly [K in keyof T]-?: Field<T[K]> };

/** An integer from `min` to `max`. */
export function uint(max: number = Number.MAX_SAFE_INTEGER, min = 0): Field<number> {
  const check = (value: number, name: string): number => {
    if (value > max || value < min) throw new ProtocolError(`${name} ${value}, not ${min} to ${max}`);
    return value;
  };
  return {
    write: (writer, value, name) => {
      writer.uint(check(value, name));
    },
    read: (reader, name) => check(reader.uint(), name),
  };
}

/** An id from 0 to `max`, or -1 for none. */
export function uintOrMinusOne(max: number): Field<number> {
  const id = uint(max);
  const minusOne = 0xff;
  return {
    write: (writer, value, name) => {
      if (value === -1) writer.number(value);
      else id.write(writer, value, name);
    },
    read: (reader, name) => {
      if (reader.pos >= reader.end || reader.buf[reader.pos] !== minusOne) return id.read(reader, name);
      reader.pos++;
      return -1;
    },
  };
}

/** One of the numbers 0 to `max`, which are all the members of `E`. */
export function enumeration<E extends number>(max: E): Field<E> {
  return uint(max) as Field<E>;
}

export const bool: Field<boolean> = {
  write: (writer, value) => {
    writer.bool(value);
  },
  read: (reader) => reader.bool(),
};

/** Text of up to `bytesMax` bytes of UTF-8. */
export function text(bytesMax: number): Field<string> {
  return {
    write: (writer, value, name) => {
      const { pos } = writer;
      if (!writer.tryStr(value)) throw new ProtocolError(`${name} with a lone surrogate`);
      // 5: the longest head of a string.
      if (writer.pos - pos > bytesMax + 5) throw new ProtocolError(`${name} of more than ${bytesMax} bytes`);
    },
    read: (reader, name) => {
      const bytes = reader.latin1Str(bytesMax);
      const value = fromKeyBytes(bytes);
      if (toKeyBytes(value) !== bytes) throw new ProtocolError(`${name} is not UTF-8`);
      return value;
    },
  };
}

/** Key bytes (partition.ts) of up to `bytesMax` bytes. */
export function keyBytes(bytesMax: number): Field<string> {
  return {
    write: (writer, value) => {
      writer.latin1Str(value);
    },
    read: (reader) => reader.latin1Str(bytesMax),
  };
}

export function nullable<T>(field: Field<T>): Field<T | null> {
  return {
    write: (writer, value, name) => {
      if (value === null) writer.nil();
      else field.write(writer, value, name);
    },
    read: (reader, name) => (reader.tryNil() ? null : field.read(reader, name)),
  };
}

export function listOf<T>(field: Field<T>, lengthMax: number): Field<readonly T[]> {
  const check = (length: number, name: string): void => {
    if (length > lengthMax) throw new ProtocolError(`${length} ${name}; the limit is ${lengthMax}`);
  };
  return {
    write: (writer, values, name) => {
      check(values.length, name);
      writer.array(values.length);
      for (const value of values) field.write(writer, value, name);
    },
    read: (reader, name) => {
      const length = reader.array();
      check(length, name);
      const values: T[] = [];
      for (let i = 0; i < length; i++) values.push(field.read(reader, name));
      return values;
    },
  };
}

export function pairOf<A, B>(first: Field<A>, second: Field<B>): Field<readonly [A, B]> {
  return {
    write: (writer, [a, b], name) => {
      writer.array(2);
      first.write(writer, a, name);
      second.write(writer, b, name);
    },
    read: (reader, name) => {
      expectLength(reader.array(), 2, name);
      return [first.read(reader, name), second.read(reader, name)];
    },
  };
}

/** A record without its field names. `check` looks at what was read as a whole and throws a ProtocolError. */
export function recordOf<T extends object>(fields: FieldsOf<T>, check?: (value: T) => void): Field<T> {
  const body = new RecordBody(fields);
  return {
    write: (writer, value) => {
      writer.array(body.length);
      body.write(writer, value);
    },
    read: (reader, name) => {
      expectLength(reader.array(), body.length, name);
      const value = {} as T;
      body.read(reader, value);
      check?.(value);
      return value;
    },
  };
}

/** The fields of a record, one after the other, without the head of an array around them. */
export class RecordBody<T extends object> {
  readonly length: number;
  private readonly fields: readonly (readonly [keyof T & string, Field<T[keyof T & string]>])[];

  constructor(fields: FieldsOf<T>) {
    const names = Object.keys(fields) as (keyof T & string)[];
    this.fields = names.map((name) => [name, fields[name]]);
    this.length = this.fields.length;
  }

  write(writer: MsgpackWriter, value: T): void {
    for (const [name, field] of this.fields) field.write(writer, value[name], name);
  }

  /** Reads all fields into `into`, which has the properties of `T` when this returns. */
  read(reader: MsgpackReader, into: T): void {
    for (const [name, field] of this.fields) into[name] = field.read(reader, name);
  }
}

function expectLength(length: number, expected: number, name: string): void {
  if (length !== expected) throw new ProtocolError(`${name} of ${length} elements, not ${expected}`);
}
