/**
 * Where the manager keeps what it must know again after a restart. The file store writes the whole state, a few
 * kilobytes, to a new file, syncs it and renames it over the old one: there is always one whole state on disk.
 */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ManagerState } from './core/state.js';

export interface MetadataStore {
  /** Whether another manager process can load what this one saved. */
  readonly outlivesProcess: boolean;
  /** The last state saved, or null. @throws if there is one that cannot be read. */
  load(): Promise<ManagerState | null>;
  /** Durable when the promise is fulfilled. Calls must not overlap. */
  save(state: ManagerState): Promise<void>;
  /** The cluster has ended in good order: there is nothing to come back to. */
  clear(): Promise<void>;
}

/** For a cluster that shall not outlive its manager. */
export class MemoryMetadataStore implements MetadataStore {
  readonly outlivesProcess = false;
  #state: ManagerState | null = null;

  load(): Promise<ManagerState | null> {
    return Promise.resolve(this.#state);
  }

  save(state: ManagerState): Promise<void> {
    this.#state = state;
    return Promise.resolve();
  }

  clear(): Promise<void> {
    this.#state = null;
    return Promise.resolve();
  }
}

/** Raised with every incompatible change of the file. */
const formatVersion = 1;

interface StateFile {
  readonly formatVersion: number;
  readonly state: ManagerState;
}

export class FileMetadataStore implements MetadataStore {
  readonly outlivesProcess = true;
  readonly path: string;

  constructor(directory: string) {
    this.path = join(directory, 'manager-state.json');
  }

  async load(): Promise<ManagerState | null> {
    let text: string;
    try {
      text = await readFile(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
    return parseState(text, this.path);
  }

  async save(state: ManagerState): Promise<void> {
    const next = `${this.path}.next`;
    const content: StateFile = { formatVersion, state };
    await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    const file = await open(next, 'w', 0o600);
    try {
      await file.writeFile(JSON.stringify(content));
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(next, this.path);
  }

  async clear(): Promise<void> {
    await rm(this.path, { force: true });
  }
}

function parseState(text: string, path: string): ManagerState {
  let content: Partial<StateFile> | null;
  try {
    content = JSON.parse(text) as Partial<StateFile> | null;
  } catch (cause) {
    throw new Error(`${path} is not valid JSON; move it away to begin with an empty cluster`, { cause });
  }
  if (content?.formatVersion !== formatVersion || typeof content.state !== 'object') {
    throw new Error(
      `${path} was written by another version of gtstore; move it away to begin with an empty cluster`,
    );
  }
  return content.state;
}
