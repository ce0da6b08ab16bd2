/** Where `gtstore export` and `bench --report` write: stdout, or a file that appears when it is whole. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { type FileHandle, open, realpath, rename, stat } from 'node:fs/promises';
import { refuseDeadLink } from '../files/links.js';
import { type LineOutput, unfinishedMark } from '../snapshot/index.js';
import { printed } from '../terminal/stdout.js';
import { UsageError } from './exit.js';
import { endWaitFor } from './named-pipe.js';
import { systemText } from './transfer.js';

export interface ExportOutput extends LineOutput {
  /** Nothing more comes. @returns whether all of it has been taken */
  finish(): Promise<boolean>;
  /** Leaves nothing behind, unless it is finished. May be called at any time. */
  discard(): void;
}

/**
 * @param signal - ends the wait for whoever reads a pipe
 * @throws UsageError if the file cannot be written, the signal's reason
 */
export async function openOutput(
  file: string | undefined,
  signal: AbortSignal = new AbortController().signal,
): Promise<ExportOutput> {
  if (file === undefined) return new Stdout();
  try {
    const existing = await stat(file).catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (existing?.isDirectory() === true) throw new Error('it is a directory');
    if (existing === undefined) await refuseDeadLink(file);
    // A pipe or a device is no file to be replaced.
    if (existing?.isFile() === false) return new Device(file, await openDevice(file, signal));
    const place = existing === undefined ? file : await realpath(file);
    const unfinished = place + unfinishedMark + randomBytes(4).toString('hex');
    return new NewFile(await open(unfinished, 'wx', existing?.mode ?? 0o666), unfinished, place);
  } catch (error) {
    signal.throwIfAborted();
    throw new UsageError(`${file} cannot be written: ${systemText(error)}`);
  }
}

async function openDevice(file: string, signal: AbortSignal): Promise<FileHandle> {
  const endWait = endWaitFor(file, signal);
  try {
    const handle = await open(file, 'w');
    if (signal.aborted) await handle.close();
    signal.throwIfAborted();
    return handle;
  } finally {
    endWait();
  }
}

/** What the system says of a file that is open does not name it. */
async function naming<T>(file: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw new Error(`${file} cannot be written: ${systemText(error)}`, { cause: error });
  }
}

class Stdout implements ExportOutput {
  #isClosed = false;

  async write(text: string): Promise<boolean> {
    if (!(await printed(text))) this.#isClosed = true;
    return !this.#isClosed;
  }

  finish(): Promise<boolean> {
    return Promise.resolve(!this.#isClosed);
  }

  discard(): void {
    // What has been written has been read.
  }
}

class Device implements ExportOutput {
  readonly #name: string;
  readonly #file: FileHandle;
  #isClosed = false;

  constructor(name: string, file: FileHandle) {
    this.#name = name;
    this.#file = file;
  }

  async write(text: string): Promise<boolean> {
    await naming(this.#name, async () => {
      try {
        await this.#file.writeFile(text);
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EPIPE')) throw error;
        this.#isClosed = true;
      }
    });
    return !this.#isClosed;
  }

  async finish(): Promise<boolean> {
    await this.#file.close();
    return !this.#isClosed;
  }

  discard(): void {
    // Nothing of it is ours. Closed already, perhaps.
    void this.#file.close().catch(() => undefined);
  }
}

class NewFile implements ExportOutput {
  readonly #file: FileHandle;
  readonly #unfinished: string;
  readonly #place: string;
  #isFinished = false;

  constructor(file: FileHandle, unfinished: string, place: string) {
    this.#file = file;
    this.#unfinished = unfinished;
    this.#place = place;
  }

  async write(text: string): Promise<boolean> {
    await naming(this.#place, () => this.#file.writeFile(text));
    return true;
  }

  async finish(): Promise<boolean> {
    await naming(this.#place, async () => {
      await this.#file.sync();
      await this.#file.close();
      await rename(this.#unfinished, this.#place);
    });
    this.#isFinished = true;
    return true;
  }

  discard(): void {
    if (this.#isFinished) return;
    rmSync(this.#unfinished, { force: true });
    // Closed already, perhaps; it is gone in any case.
    void this.#file.close().catch(() => undefined);
  }
}
