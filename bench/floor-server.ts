/**
 * One server of the floor: answers each frame with one of the right length, and keeps nothing. Whoever asks for a value of the
 * usual size gets that.
 *
 *     floor-server VALUE_BYTES
 */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { FloorReader, FloorType, FloorWriter, makeFrames } from './floor-frames.js';
import { usualWorkload } from './workload.js';

const frames = makeFrames(Number(process.argv[2]));
const answers: Readonly<Record<number, Buffer>> = {
  [FloorType.put]: frames.ack,
  [FloorType.get]: frames.value,
  [FloorType.getOfUsual]: makeFrames(usualWorkload.valueBytes).value,
};
const server = createServer({ noDelay: true }, (socket) => {
  const writer = new FloorWriter((bytes, done) => socket.write(bytes, done));
  const reader = new FloorReader((type, rid) => {
    writer.append(answers[type] ?? frames.ack, rid);
  });
  socket.on('data', (chunk: Buffer) => {
    reader.read(chunk, chunk.length);
  });
  socket.on('error', () => undefined);
});
server.listen(0, '127.0.0.1', () => {
  process.send?.((server.address() as AddressInfo).port);
});
process.on('disconnect', () => process.exit(0));
