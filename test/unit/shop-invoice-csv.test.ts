import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import fc from 'fast-check';
import { UsageError } from '../../src/shop/errors.js';
import { type InvoiceLine, readInvoiceLines } from '../../src/shop/invoice-csv.js';

const header = 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country';

async function collect(input: Readable): Promise<InvoiceLine[]> {
  const lines: InvoiceLine[] = [];
  for await (const line of readInvoiceLines(input, 'orders.csv')) lines.push(line);
  return lines;
}

/** Reads the text in pieces of so many bytes. */
async function read(text: string, pieceBytes = 65_536): Promise<InvoiceLine[]> {
  const bytes = Buffer.from(text);
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) pieces.push(bytes.subarray(at, at + pieceBytes));
  return collect(Readable.from(pieces));
}

async function problemOf(text: string): Promise<string> {
  try {
    await read(text);
  } catch (error) {
    expect(error).to.be.instanceOf(UsageError);
    expect((error as Error).message).not.to.include('\n');
    return (error as Error).message;
  }
  throw new Error('it was accepted');
}

describe('shop: invoice lines from CSV', () => {
  it('finds columns by name, in any order, and ignores others', async () => {
    const lines = await read('Extra,UnitPrice,Quantity,StockCode,InvoiceNo\nx,2.55,-6,85123A,C536379\n');
    expect(lines).to.deep.equal([
      { row: 1, invoice: 'C536379', stockCode: '85123A', quantity: -6, unitPrice: '2.55' },
    ]);
  });

  it('ignores columns without a name, however many there are', async () => {
    const lines = await read('InvoiceNo,StockCode,Quantity,UnitPrice,,\n1,A,2,0.5,,\n');
    expect(lines).to.deep.equal([{ row: 1, invoice: '1', stockCode: 'A', quantity: 2, unitPrice: '0.5' }]);
  });

  it('reads quoted fields with commas, doubled quotes and line ends, split anywhere', async () => {
    const text =
      `\ufeff${header}\r\n` +
      '1,"A,""B""","say ""hi"",\r\ntwice é",6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\r\n' +
      '\r\n' +
      '2,C,,"-1",2010-12-01,0,,"France"';
    const expected = [
      { row: 1, invoice: '1', stockCode: 'A,"B"', quantity: 6, unitPrice: '2.55' },
      { row: 2, invoice: '2', stockCode: 'C', quantity: -1, unitPrice: '0' },
    ];
    for (const pieceBytes of [1, 2, 3, 5, 7, 64, 65_536]) {
      expect(await read(text, pieceBytes), `pieces of ${pieceBytes}`).to.deep.equal(expected);
    }
  });

  it('gives back any text that was quoted properly', async () => {
    const text = fc.string({
      unit: fc.constantFrom('a', '"', ',', '\n', '\r', 'é', '😀', ' '),
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { minLength: 1, maxLength: 8 }),
        fc.constantFrom('\n', '\r\n'),
        fc.boolean(),
        fc.integer({ min: 1, max: 9 }),
        async (codes, lineEnd, endsWithLineEnd, pieceBytes) => {
          const rows = codes.map((code, index) => `${index},"x${code.replaceAll('"', '""')}x",1,1.5`);
          const all = ['InvoiceNo,StockCode,Quantity,UnitPrice', ...rows].join(lineEnd);
          const lines = await read(all + (endsWithLineEnd ? lineEnd : ''), pieceBytes);
          expect(lines.map((line) => line.stockCode)).to.deep.equal(codes.map((code) => `x${code}x`));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('reads a day of real invoices', async () => {
    const file = fileURLToPath(new URL('../../../examples/online-retail-2010-12-01.csv', import.meta.url));
    const lines = await collect(createReadStream(file));
    expect(lines).to.have.lengthOf(3108);
    expect(new Set(lines.map((line) => line.invoice)).size).to.equal(143);
    expect(lines.reduce((sum, line) => sum + line.quantity, 0)).to.equal(26_814);
    expect(lines[0]).to.deep.equal({
      row: 1,
      invoice: '536365',
      stockCode: '85123A',
      quantity: 6,
      unitPrice: '2.55',
    });
  });

  it('names file, line and column of a bad row', async () => {
    const good = '536365,85123A,LANTERN,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n';
    const problems: readonly (readonly [row: string, problem: string])[] = [
      ['1,A,B,six,d,2.55,,UK', 'orders.csv:3: column Quantity: "six" is no whole number up to 1000000000'],
      ['1,A,B,1.5,d,2.55,,UK', 'orders.csv:3: column Quantity: "1.5" is no whole number up to 1000000000'],
      ['1,A,B,,d,2.55,,UK', 'orders.csv:3: column Quantity: "" is no whole number up to 1000000000'],
      [
        '1,A,B,99999999999,d,2,,UK',
        'orders.csv:3: column Quantity: "99999999999" is no whole number up to 1000000000',
      ],
      ['1,A,B,1,d,free,,UK', 'orders.csv:3: column UnitPrice: "free" is no decimal number'],
      [',A,B,1,d,1,,UK', 'orders.csv:3: column InvoiceNo: "" is no invoice number'],
      ['1,,B,1,d,1,,UK', 'orders.csv:3: column StockCode: "" is no stock code'],
      ['1,A,B,1,d,1', 'orders.csv:3: column CustomerID is missing: 6 fields, the header has 8'],
      ['1,A,B,1,d,1,,UK,more', 'orders.csv:3: column 9 has no name: 9 fields, the header has 8'],
      ['1,A,"B,1,d,1,,UK', 'orders.csv:3: column 3: a quoted field that begins in this row is never closed'],
    ];
    for (const [row, problem] of problems) {
      expect(await problemOf(`${header}\n${good}${row}\n${good}`)).to.equal(problem);
    }
    expect(await problemOf(`${header}\n1,A,5" PLATE,1,d,1,,UK\n`)).to.match(
      /^orders\.csv:2: column 3: a quote/,
    );
  });

  it('counts lines, not records, and both kinds of line end once', async () => {
    const text = `${header}\r\n1,A,"two\r\nlines",1,d,1,,UK\r\n\r\n1,A,B,x,d,1,,UK\r\n`;
    expect(await problemOf(text)).to.match(/^orders\.csv:5: column Quantity/);
  });

  it('refuses a file without a proper header', async () => {
    expect(await problemOf('')).to.match(/^orders\.csv:1: no header line/);
    expect(await problemOf('InvoiceNo,StockCode,Quantity\n')).to.equal(
      'orders.csv:1: column UnitPrice is missing in the header',
    );
    expect(await problemOf(`${header},Quantity\n`)).to.equal(
      'orders.csv:1: column Quantity is in the header twice',
    );
  });

  it('says which file cannot be read', async () => {
    const missing = createReadStream(fileURLToPath(new URL('no-such-file.csv', import.meta.url)));
    const problem = await collect(missing).catch((error: unknown) => error);
    expect(problem).to.be.instanceOf(UsageError).with.property('message', 'orders.csv: no such file');
  });
});
