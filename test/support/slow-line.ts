/**
 * Loaded into a node's process with `--import`: all that it sends goes, from the moment on at which the file `SLOW_LINE_FILE`
 * is there - to be renamed to its place, so that it is there whole -, over one line that carries as many bytes in a second
 * as that file says.
 */
import { existsSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';

type Written = (error?: Error | null) => void;
type Chunks = readonly { readonly chunk: Buffer }[];

const file = process.env['SLOW_LINE_FILE'] ?? '';
let bytesPerMs = Infinity;
/** When all that was written so far has gone out. */
let freeAtMs = 0;

function afterLine(socket: Socket, bytes: number, written: Written, write: () => void): void {
  if (bytesPerMs === Infinity && existsSync(file)) bytesPerMs = Number(readFileSync(file, 'utf8')) / 1000;
  const nowMs = performance.now();
  freeAtMs = Math.max(freeAtMs, nowMs) + bytes / bytesPerMs;
  if (freeAtMs - nowMs < 2) {
    write();
    return;
  }
  setTimeout(() => {
    if (socket.destroyed) written(new Error('the socket was destroyed'));
    else write();
  }, freeAtMs - nowMs);
}

if (process.argv[1]?.includes('forked-node') === true) {
  const { prototype } = Socket;
  const { _write: writeOne, _writev: writeAll } = prototype;
  prototype._write = function (chunk: Buffer, encoding, written): void {
    afterLine(this, chunk.length, written, () => {
      writeOne.call(this, chunk, encoding, written);
    });
  };
  prototype._writev = function (chunks: Chunks, written): void {
    const bytes = chunks.reduce((sum, { chunk }) => sum + chunk.length, 0);
    afterLine(this, bytes, written, () => {
      writeAll?.call(this, [...chunks] as never, written);
    });
  };
}
