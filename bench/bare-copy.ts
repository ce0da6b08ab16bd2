/**
 * What one process copies to another through a bare socket on loopback: the floor of copying a slot. It stores nothing
 * and looks at nothing.
 *
 *     bare-copy PORT BYTES
 */
import { Buffer } from 'node:buffer';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

const chunkBytes = 64 * 1024;

/** @returns seconds from the first byte to the last */
export async function copyBare(bytes: number): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const child = fork(fileURLToPath(import.meta.url), [String(port), String(bytes)]);
  const gone = once(child, 'exit');
  const [socket] = (await once(server, 'connection')) as [Socket];
  let left = bytes;
  let startedAtMs = NaN;
  for await (const chunk of socket) {
    if (Number.isNaN(startedAtMs)) startedAtMs = performance.now();
    left -= (chunk as Buffer).length;
  }
  const seconds = (performance.now() - startedAtMs) / 1000;
  server.close();
  await gone;
  if (left !== 0) throw new Error(`the bare copy lacks ${left} of ${bytes} bytes`);
  return seconds;
}

async function send(port: number, bytes: number): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port });
  const chunk = Buffer.alloc(chunkBytes, 7);
  for (let left = bytes; left > 0; left -= chunkBytes) {
    if (!socket.write(left >= chunkBytes ? chunk : chunk.subarray(0, left))) await once(socket, 'drain');
  }
  socket.end();
  await once(socket, 'close');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await send(Number(process.argv[2]), Number(process.argv[3]));
  process.disconnect();
}
