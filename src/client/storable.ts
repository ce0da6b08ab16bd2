/**
 * Types of one's own as values. A `StoreValue` is an index signature at heart, which the type of an `interface` never fits,
 * nor one with optional fields; so what is written may be either that or whatever is made up of the same.
 */
import type { StoreValue } from '../protocol/value-codec.js';

declare const notStorable: unique symbol;

/** For the compiler's messages: such a part of a value cannot be stored. */
export interface NotStorable<V> {
  readonly [notStorable]: V;
}

type Method = (...args: never[]) => unknown;

/** `V`, with `NotStorable` in the place of what cannot be stored. */
type Checked<V> = V extends StoreValue
  ? V
  : V extends readonly unknown[]
    ? { [K in keyof V]: Checked<V[K]> }
    : V extends Method | symbol | bigint | undefined
      ? NotStorable<V>
      : V extends object
        ? [Extract<V[keyof V], Method>] extends [never]
          ? { [K in keyof V]: Checked<V[K]> }
          : NotStorable<V>
        : NotStorable<V>;

/**
 * A `V` that a key can hold: strings, numbers, booleans, null, `Uint8Array`, and arrays and plain objects of those, optional fields
 * included. No value fits if `V` has anything else in it: a Date, a Map, whatever has methods, undefined, a bigint.
 */
export type Storable<V> = V & Checked<V>;
