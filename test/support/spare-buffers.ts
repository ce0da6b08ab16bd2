import { takeSpare } from '../../src/protocol/spare-buffers.js';

/** Leaves all spare buffers of this process, whoever has given them, to the collector. */
export function drainSpareBuffers(): void {
  for (let bytes = 32 * 1024; bytes <= 2 ** 24; bytes *= 2) while (takeSpare(bytes) !== undefined);
}
