/**
 * Frames: a u32 big-endian payload length, then the payload, one msgpack array `[type, ...fields]`. Any msgpack
 * decoder can read a payload; this one takes only what the messages of messages.ts may be, and nothing after them.
 *
 * Types below `firstColdType` are hot (hot-codec.ts, hot-decoder.ts: by hand, into scratch objects), the others cold
 * (cold-codec.ts: a table around msgpackr, fresh objects).
 */
import { type Buffer } from 'node:buffer';
import { decodeCold, encodeCold } from './cold-codec.js';
import { copyBytes } from './copy-bytes.js';
import { ProtocolError } from './errors.js';
import { encodeHot, firstColdType, isHot } from './hot-codec.js';
import { HotDecoder } from './hot-decoder.js';
import { MessageType } from './messages.js';
import type { Message } from './messages.js';
import { MsgpackReader } from './msgpack-reader.js';
import type { MsgpackWriter } from './msgpack-writer.js';
import { cloneVersion } from './version.js';
import { put32 } from './words.js';

/** Those below are read in little time, whatever they hold. */
const firstListType = MessageType.copyBatch;
/** Bytes of the length before each payload. */
export const frameHeaderBytes = 4;

/**
 * Appends one frame to `writer`.
 *
 * @throws TypeError if a field of `message` is out of its bounds, a mistake of the caller's and not a ProtocolError;
 *   nothing has been appended then
 */
export function encodeMessage(writer: MsgpackWriter, message: Message): void {
  const start = writer.pos;
  writer.ensure(frameHeaderBytes);
  writer.pos = start + frameHeaderBytes;
  try {
    if (isHot(message)) encodeHot(writer, message);
    else encodeCold(writer, message);
  } catch (error) {
    writer.pos = start;
    if (!(error instanceof ProtocolError)) throw error;
    throw new TypeError(`message type ${message.type} cannot be encoded: ${error.message}`, { cause: error });
  }
  const { buf } = writer;
  const length = writer.pos - start - frameHeaderBytes;
  put32(buf, start, length);
}

/** Reads payloads, each a frame without its length. */
export class MessageDecoder {
  private readonly frameBytesMax: number;
  private readonly types: ReadonlySet<number> | undefined;
  private readonly reader = new MsgpackReader();
  private readonly hot = new HotDecoder();

  /**
   * @param limits - `frameBytesMax`: longest payload, in bytes; `types`: which messages with lists in them there may be (see requests.ts);
   *   default: all
   */
  constructor(limits: { readonly frameBytesMax: number; readonly types?: ReadonlySet<number> | undefined }) {
    this.frameBytesMax = limits.frameBytesMax;
    this.types = limits.types;
  }

  /**
   * Decodes [start, end) of `buffer`; of a run of several messages the first, `next` gives the others. A hot message is good until the next message of its type is decoded here, and
   * the values in it as long as the bytes of `buffer` stay as they are: see {@link keepMessage}.
   *
   * @throws ProtocolError if it is not exactly one message
   */
  decode(buffer: Buffer, start: number, end: number): Message {
    if (end - start > this.frameBytesMax) {
      throw new ProtocolError(`a frame of ${end - start} bytes; the limit is ${this.frameBytesMax}`);
    }
    const { reader } = this;
    this.hot.left = 0;
    reader.reset(buffer, start, end);
    const count = reader.array();
    if (count === 0) throw new ProtocolError('a message without a type');
    const type = reader.uint();
    if (type >= firstListType && this.types?.has(type) === false)
      throw new ProtocolError(`message type ${type}, unknown here or not for you to send`);
    if (type >= firstColdType) return decodeCold(buffer, start, end, type);
    const message = this.hot.decode(reader, type, count);
    if (this.hot.left === 0) reader.done();
    return message;
  }

  /**
   * The next message of the frame that was decoded last, if it is a run (ACK, VALIDATE); null: there is none.
   *
   * @throws ProtocolError if what follows is no message of it
   */
  next(): Message | null {
    const { hot, reader } = this;
    if (hot.left === 0) return null;
    const message = hot.next(reader);
    if (hot.left === 0) reader.done();
    return message;
  }
}

/** A copy of a decoded message that shares nothing with scratch objects and read buffers. */
export function keepMessage(message: Message): Message {
  if (!isHot(message)) return message;
  switch (message.type) {
    case MessageType.write:
    case MessageType.stale:
    case MessageType.value:
    case MessageType.conditionResult:
      return { ...message, version: cloneVersion(message.version), value: copyBytes(message.value) };
    case MessageType.condition:
      return { ...message, expected: cloneVersion(message.expected), value: copyBytes(message.value) };
    case MessageType.copyBatch:
    case MessageType.scanBatch:
      return {
        ...message,
        entries: message.entries.map((entry) => ({ ...entry, value: copyBytes(entry.value) })),
      };
    default:
      return { ...message };
  }
}
