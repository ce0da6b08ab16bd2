/** As much of protocol buffers and gRPC as a request with byte fields needs. */

const lengthDelimited = 2;
const sevenBits = 0x7f;

/** Tag, length and content of one `bytes` or `string` field with a number below 16. */
export function bytesField(field: number, text: string): Buffer {
  const content = Buffer.from(text);
  return Buffer.concat([Buffer.from([(field << 3) | lengthDelimited, ...varint(content.length)]), content]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > sevenBits) {
    bytes.push((rest & sevenBits) | 0x80);
    rest >>>= 7;
  }
  return [...bytes, rest];
}

/** One uncompressed gRPC message. */
export function framed(...fields: readonly Buffer[]): Buffer {
  const message = Buffer.concat(fields);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
