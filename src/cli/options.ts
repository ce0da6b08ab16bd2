/** What several commands share of the command line, and the checks that yargs has not. */
import { unprintable } from '../protocol/cold-fields.js';
import type { Address } from '../protocol/address.js';
import { hostBytesMax } from '../protocol/settings.js';
import { UsageError } from './exit.js';

export { type Address, formatAddress } from '../protocol/address.js';

export const portDefault = 7400;
const portMax = 65_535;

export const logLevels = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];

/** `--manager` of every command that talks to a running cluster. */
export const managerOption = {
  type: 'string',
  requiresArg: true,
  describe: 'host:port of the manager, also as gtstore://host:port; or set GTSTORE_URL',
  default: process.env['GTSTORE_URL'] ?? '',
  defaultDescription: `GTSTORE_URL or 127.0.0.1:${portDefault}`,
} as const;

/** The manager's address as given, or the default. */
export function managerOrDefault(manager: string): string {
  return manager === '' ? `127.0.0.1:${portDefault}` : manager;
}

export const jsonOption = { type: 'boolean', default: false, describe: 'Print JSON' } as const;

export const logLevelOption = {
  choices: logLevels,
  requiresArg: true,
  default: 'info',
  describe: 'How much to tell on stderr',
} as const;

/** Cannot occur in an argument of a process. */
const textMark = '\0';

/**
 * What follows `--` is an operand, also if it begins with a dash; yargs would not count it as one. And blank text, which yargs
 * would take for the number 0 (node 0, any port), is made no number. A lone dash would become an empty text. What is text gets
 * rid of its mark by `unmarkTexts`.
 */
export function markTexts(args: readonly string[]): string[] {
  const end = args.indexOf('--');
  const options = end < 0 ? args : args.slice(0, end);
  const operands = end < 0 ? [] : args.slice(end + 1);
  return [...options.map(markOdd), ...operands.map((arg) => textMark + arg)];
}

function markOdd(arg: string): string {
  return arg.replace(/^(-[^=]+=)?(\s*|-)$/, `$1${textMark}$2`);
}

/** Every text among the options as it was written. */
export function unmarkTexts(options: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(options))
    if (typeof value === 'string') options[name] = withoutMark(value);
}

/** The text as it was written. */
export function withoutMark(text: string): string {
  return text.replaceAll(textMark, '');
}

/** A positional argument, whatever it begins with. */
export const operand = { type: 'string', demandOption: true, coerce: withoutMark } as const;

/** A positional argument that is a number, after `--` as well; NaN if it is none. */
export const numberOperand = {
  demandOption: true,
  // Declared as a number it would be none by its mark; undeclared it is one where it has no mark.
  coerce: (value: string | number) => {
    const text = withoutMark(String(value));
    return text.trim() === '' ? NaN : Number(text);
  },
} as const;

/** @throws UsageError */
export function wholeNumber(name: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  const wrong = Number.isNaN(value) ? 'that is no number' : `not ${value}`;
  throw new UsageError(`${name} must be a whole number from ${min} to ${max}, ${wrong}`);
}

/** A name for logs and tables, which nodes tell each other. @throws UsageError */
export function label(name: string, text: string | undefined): string | undefined {
  checkHostBytes(name, text);
  if (text === undefined || !unprintable.test(text)) return text;
  throw new UsageError(`${name} ${JSON.stringify(text)} has a character that cannot be printed`);
}

/** The same of an option without a default: undefined if it was left out. @throws UsageError */
export function wholeNumberIfGiven(
  name: string,
  value: number | undefined,
  min: number,
  max: number,
): number | undefined {
  return value === undefined ? undefined : wholeNumber(name, value, min, max);
}

/** A port to listen on; 0 picks a free one. @throws UsageError */
export function portNumber(name: string, value: number): number {
  return wholeNumber(name, value, 0, portMax);
}

/** `host:port`, `gtstore://host:port`, `[::1]:port`. @throws UsageError */
export function parseAddress(name: string, text: string): Address {
  const match = /^(?:gtstore:\/\/)?(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:/[\]]+)):(\d{1,5})\/?$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3]);
  if (host === '' || !(port >= 1 && port <= portMax)) {
    throw new UsageError(`${name} must be host:port, such as 127.0.0.1:${portDefault}, not '${text}'`);
  }
  return { host, port };
}

/** What is told to others of a host: its label, or an address. @throws UsageError if it is longer than can be told */
export function checkHostBytes(name: string, text: string | undefined): void {
  const bytes = Buffer.byteLength(text ?? '');
  if (bytes > hostBytesMax) {
    throw new UsageError(`${name} has ${bytes} bytes; give a name of at most ${hostBytesMax}`);
  }
}

/** What of it was given: an option that is left out is not the same as one that is undefined. */
export function defined<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
