/**
 * The requests that a node may take where they lie in their frames (ADR 22), as the bytes they travel in: of those
 * that come every other one is offered so first, as the shell offers all; or all, or none. What the node does must not
 * depend on that, so that a schedule is the same to the last message either way.
 */
import { Buffer } from 'node:buffer';
import { encodeMessage, frameHeaderBytes, MessageDecoder } from '../../src/protocol/codec.js';
import { isRun } from '../../src/protocol/hot-codec.js';
import { MessageType } from '../../src/protocol/messages.js';
import type { Message, PlainValue } from '../../src/protocol/messages.js';
import { MsgpackWriter } from '../../src/protocol/msgpack-writer.js';
import { encodePlainValue, firstRidAt, ridBytes } from '../../src/protocol/plain-frame.js';
import type { Situation } from './coverage.js';
import type { World } from './world.js';

export type FrameMode = 'always' | 'never' | 'mixed';

/** What of it a campaign must have seen. */
const situations: Partial<Record<Message['type'], Situation>> = {
  [MessageType.get]: 'frameGet',
  [MessageType.write]: 'frameWrite',
  [MessageType.validate]: 'frameValidate',
};

/** Of one node. */
export class Frames {
  readonly #world: World;
  readonly #writer = new MsgpackWriter();
  #offered = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** @returns whether it was taken as a frame */
  offer(message: Message, onFrame: (buffer: Buffer, start: number, end: number) => boolean): boolean {
    const { frameMode, coverage } = this.#world;
    if (frameMode === 'never' || (frameMode === 'mixed' && this.#offered++ % 2 === 1)) return false;
    const situation = situations[message.type];
    if (situation === undefined) return false;
    const writer = this.#writer;
    writer.reset();
    if (isRun(message)) putRun(writer, message.type, message.rid);
    else encodeMessage(writer, message);
    const taken = onFrame(writer.buf, frameHeaderBytes, writer.pos);
    // The chunk that it lay in is read over.
    writer.buf.fill(0xee);
    if (taken) coverage.note(situation);
    return taken;
  }
}

/** With five bytes for the request id, however small it is: in the field there soon are no smaller ones. */
function putRun(writer: MsgpackWriter, type: number, rid: number): void {
  writer.pos = frameHeaderBytes;
  writer.ensure(firstRidAt + ridBytes);
  const { buf, pos } = writer;
  buf.set([0xdc, 0, 2, type, 0xce], pos);
  writer.pos = buf.writeUInt32BE(rid, pos + firstRidAt + 1);
}

/** What the receiver decodes of a value that was written so. */
export function plainValueMessage(rid: number, value: PlainValue): Message {
  const writer = new MsgpackWriter();
  encodePlainValue(writer, rid, value);
  const frame = Buffer.from(writer.buf.subarray(0, writer.pos));
  const decoder = new MessageDecoder({ frameBytesMax: frame.length });
  return decoder.decode(frame, frameHeaderBytes, frame.length);
}
