/** What tests do with frames that are read and written where they lie. */
import { Buffer } from 'node:buffer';
import { MessageDecoder } from '../../src/protocol/codec.js';
import { FrameDecoder } from '../../src/protocol/frame-decoder.js';
import type { Message } from '../../src/protocol/messages.js';
import type { MsgpackWriter } from '../../src/protocol/msgpack-writer.js';

const frameBytesMax = 1 << 20;

/** The request ids of a run, as the decoder reads them. */
export function ridsOf(payload: Buffer): number[] {
  const decoder = new MessageDecoder({ frameBytesMax });
  const rids: number[] = [];
  let next: Message | null = decoder.decode(payload, 0, payload.length);
  for (; next !== null; next = decoder.next()) if ('rid' in next) rids.push(next.rid);
  return rids;
}

/** The payloads of all frames that were written. */
export function payloadsIn(writer: MsgpackWriter): Buffer[] {
  const found: Buffer[] = [];
  new FrameDecoder(frameBytesMax).push(writer.buf.subarray(0, writer.pos), (buffer, start, end) => {
    found.push(Buffer.from(buffer.subarray(start, end)));
  });
  return found;
}
