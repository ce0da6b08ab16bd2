/** Client processes of the bare servers and of memcached: a server that is gone takes its client with it. */
import type { Socket } from 'node:net';

/**
 * Else the client would wait for ever for answers that do not come, and with it the benchmark. A client that has done
 * its work ends before its servers, and never gets here.
 */
export function endWithServer(socket: Socket, port: number): void {
  let why = 'closed the connection';
  socket.on('error', ({ message }) => {
    why = `failed: ${message}`;
  });
  socket.once('close', () => {
    console.error(`the server on port ${port} ${why}`);
    process.exit(1);
  });
}
