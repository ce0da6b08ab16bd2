/**
 * A key where it lies in a frame, so that it can be looked up without a string being made of it. Good as long as the
 * message that it belongs to.
 */
import { Buffer } from 'node:buffer';

const noBytes = Buffer.alloc(0);

export class KeyView {
  bytes: Buffer = noBytes;
  at = 0;
  length = 0;

  /** The key bytes as a string. */
  get text(): string {
    return this.bytes.toString('latin1', this.at, this.at + this.length);
  }
}
