/**
 * Reads invoice lines from CSV text with the columns of the UCI Online Retail data set, in any order, further
 * columns ignored. Quoting and line ends are csv-parse's business; what is checked here is what the replay
 * relies on, each complaint with file, line and column.
 */
import { type Readable, pipeline } from 'node:stream';
import { type Options, parse } from 'csv-parse';
import { UsageError } from './errors.js';
import { parsePrice } from './money.js';

/** One line of an invoice: so many of one article at one price. */
export interface InvoiceLine {
  /** Number of the line in its file, from 1; together with the invoice it names the line. */
  readonly row: number;
  readonly invoice: string;
  readonly stockCode: string;
  /** Negative when goods came back. */
  readonly quantity: number;
  /** Pounds, as the file writes them; `parsePrice` accepts it. */
  readonly unitPrice: string;
}

/** Sums of this many quantities stay exact in a double for any file that fits on a disk. */
const quantityMax = 1_000_000_000;

/** The columns that the replay uses; the others of the data set may be absent. */
const columns = ['InvoiceNo', 'StockCode', 'Quantity', 'UnitPrice'] as const;
type Column = (typeof columns)[number];

interface RawRecord {
  readonly record: readonly string[];
  /** The text of the record with its line end. */
  readonly raw: string;
}

/**
 * The lines of `input`, UTF-8 bytes, in order.
 * @param name of the file, for messages
 * @throws UsageError at the first bad row
 */
export async function* readInvoiceLines(input: Readable, name: string): AsyncGenerator<InvoiceLine> {
  const rows = new RowChecker(name);
  const options: Options<InvoiceLine, RawRecord> = {
    bom: true,
    raw: true,
    // Counting fields is left to us, who can name the missing column.
    relax_column_count: true,
    record_delimiter: ['\r\n', '\n', '\r'],
    // Checked here, at once, and not as they come out: an error discards what the parser still holds back.
    on_record: (row) => rows.check(row),
  };
  // The declarations of csv-parse leave the type of a record free only where it is an object by column.
  const parser = parse(options as unknown as Options);
  pipeline(input, parser, () => {
    // An error of the file ends the parser with that error, and so the loop below.
  });
  try {
    for await (const line of parser as AsyncIterable<InvoiceLine>) yield line;
  } catch (error) {
    throw inWords(error, name, rows.lineNumber);
  }
  rows.end();
}

/** Takes the rows of one file in order. */
class RowChecker {
  readonly #name: string;
  #header: Header | undefined;
  #row = 0;
  #lineNumber = 1;

  constructor(name: string) {
    this.#name = name;
  }

  /** Where the next row begins, counted from 1. */
  get lineNumber(): number {
    return this.#lineNumber;
  }

  /** The invoice line in a row; null: there is none. */
  check({ record, raw }: RawRecord): InvoiceLine | null {
    const at = `${this.#name}:${this.#lineNumber}`;
    // Not csv-parse's own count: it takes CR LF inside quotes for two line ends.
    this.#lineNumber += raw.match(/\r\n|\n|\r/g)?.length ?? 0;
    const isBlank = record.length === 1 && record[0] === '';
    if (isBlank) return null;
    if (this.#header === undefined) {
      this.#header = new Header(record, at);
      return null;
    }
    this.#row += 1;
    return invoiceLine(this.#header, record, this.#row, at);
  }

  end(): void {
    if (this.#header === undefined) {
      throw new UsageError(`${this.#name}:1: no header line with ${columns.join(', ')}`);
    }
  }
}

/** Where each column stands. */
class Header {
  readonly names: readonly string[];
  readonly #positions = new Map<string, number>();

  constructor(record: readonly string[], at: string) {
    this.names = record.map((name) => name.trim());
    for (const [position, name] of this.names.entries()) {
      // Spreadsheets leave commas behind: columns without a name.
      if (name !== '' && this.#positions.has(name))
        throw new UsageError(`${at}: column ${name} is in the header twice`);
      this.#positions.set(name, position);
    }
    for (const column of columns) {
      if (!this.#positions.has(column))
        throw new UsageError(`${at}: column ${column} is missing in the header`);
    }
  }

  field(record: readonly string[], column: Column): string {
    return record[this.#positions.get(column) ?? -1]?.trim() ?? '';
  }
}

function invoiceLine(header: Header, record: readonly string[], row: number, at: string): InvoiceLine {
  if (record.length !== header.names.length) {
    const first = header.names[record.length];
    const which =
      first === undefined ? `column ${header.names.length + 1} has no name` : `column ${first} is missing`;
    throw new UsageError(`${at}: ${which}: ${record.length} fields, the header has ${header.names.length}`);
  }
  const refuse = (column: Column, problem: string): UsageError =>
    new UsageError(`${at}: column ${column}: ${excerpt(header.field(record, column))} is ${problem}`);

  const invoice = header.field(record, 'InvoiceNo');
  if (invoice === '') throw refuse('InvoiceNo', 'no invoice number');
  const stockCode = header.field(record, 'StockCode');
  if (stockCode === '') throw refuse('StockCode', 'no stock code');
  const quantityText = header.field(record, 'Quantity');
  const quantity = /^[+-]?\d+(\.0*)?$/.test(quantityText) ? Number(quantityText) : NaN;
  if (!(Math.abs(quantity) <= quantityMax)) {
    throw refuse('Quantity', `no whole number up to ${quantityMax}`);
  }
  const unitPrice = header.field(record, 'UnitPrice');
  if (parsePrice(unitPrice) === undefined) throw refuse('UnitPrice', 'no decimal number');
  // `-0` would not survive every encoding.
  return { row, invoice, stockCode, quantity: quantity === 0 ? 0 : quantity, unitPrice };
}

function excerpt(text: string): string {
  return JSON.stringify(text.length <= 40 ? text : `${text.slice(0, 37)}...`);
}

const csvProblems: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'a quoted field that begins in this row is never closed',
  CSV_INVALID_CLOSING_QUOTE:
    'text follows the closing quote of a field (a quote inside quotes is written twice)',
  INVALID_OPENING_QUOTE: 'a quote inside a field that is not quoted',
};

/** Errors of the file system and of csv-parse, as one clear line. */
function inWords(error: unknown, name: string, lineNumber: number): unknown {
  if (error instanceof UsageError || !(error instanceof Error) || !('code' in error)) return error;
  const code = String(error.code);
  if (code === 'ENOENT') return new UsageError(`${name}: no such file`);
  if (code === 'EISDIR') return new UsageError(`${name}: a directory, not a file`);
  if (/^E[A-Z]+$/.test(code)) return new UsageError(`${name}: cannot be read (${code})`);
  const column = 'column' in error && typeof error.column === 'number' ? `column ${error.column + 1}: ` : '';
  return new UsageError(`${name}:${lineNumber}: ${column}${csvProblems[code] ?? error.message}`);
}
