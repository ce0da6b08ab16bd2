import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder that is gone when it is disposed of, or when the process exits before. */
export class TemporaryFolder implements Disposable {
  readonly path: string;
  readonly #remove = (): void => {
    rmSync(this.path, { recursive: true, force: true });
  };

  constructor(parent = tmpdir()) {
    this.path = mkdtempSync(join(parent, 'gtstore-bench-'));
    process.once('exit', this.#remove);
  }

  [Symbol.dispose](): void {
    process.off('exit', this.#remove);
    this.#remove();
  }
}
