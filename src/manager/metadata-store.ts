/**
 * Where the manager keeps what it must know again after a restart. The file store writes the whole state, a few
 * kilobytes, to a new file and renames it over the old one: whenever the manager is killed, one whole state is there.
 * It does not wait for the disk: a power failure ends the nodes, too, and with them all that the state speaks of.
 *
 * Saving is synchronous within. A failover waits for it, and a few kilobytes for the page cache take less time than
 * one of the five trips through the thread pool that it would be otherwise, on a machine that is busy just then.
 */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ManagerState } from './core/state.js';

export interface MetadataStore {
  /** Whether another manager process can load what this one saved. */
  readonly outlivesProcess: boolean;
  /** The last state saved, or null. @throws if there is one that cannot be read. */
  load(): Promise<ManagerState | null>;
  /** When the promise is fulfilled the state survives this process. Calls must not overlap. */
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

  save(state: ManagerState): Promise<void> {
    return new Promise((resolve) => {
      const next = `${this.path}.next`;
      const content: StateFile = { formatVersion, state };
      mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
      writeFileSync(next, JSON.stringify(content), { mode: 0o600 });
      renameSync(next, this.path);
      resolve();
    });
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
