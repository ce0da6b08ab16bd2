/**
 * One server of the empty store: reads each request of GTStore's as a node does, answers it, and keeps nothing.
 *
 *     empty-store-server VALUE_BYTES
 */
import { Buffer } from 'node:buffer';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { MessageType } from '../src/protocol/messages.js';
import { PlainFrame, plainTypeOf } from '../src/protocol/plain-frame.js';
import { encodeValue } from '../src/protocol/value-codec.js';
import { withOnread } from '../src/transport/accepted-socket.js';
import { EmptyStoreLink, readingFrames } from './empty-store-link.js';
import { makeValue } from './workload.js';

const value = encodeValue(makeValue(Number(process.argv[2])));
const { buffer: memory, byteOffset: at, length } = Buffer.from(value);
const plainValue = { hlc: 2 ** 50, clientId: 2 ** 47, memory, at, length };
const frame = new PlainFrame();

function serve(accepted: Socket): void {
  const onread = readingFrames((buffer, start, end) => {
    if (plainTypeOf(buffer, start) === MessageType.get && frame.readGet(buffer, start, end))
      link.out.appendPlainValue(frame.rid, plainValue);
    else if (frame.readWrite(buffer, start, end)) link.out.appendRid(MessageType.ack, frame.rid);
    else throw new Error('no such request is sent here');
    link.leaveSoon();
  });
  const socket = withOnread(accepted, onread);
  if (socket === undefined) throw new Error('this Node cannot read accepted sockets into one buffer');
  const link = new EmptyStoreLink(socket);
  socket.on('error', () => undefined);
  socket.resume();
}

const server = createServer({ noDelay: true, pauseOnConnect: true }, serve);
server.listen(0, '127.0.0.1', () => {
  process.send?.((server.address() as AddressInfo).port);
});
process.on('disconnect', () => process.exit(0));
