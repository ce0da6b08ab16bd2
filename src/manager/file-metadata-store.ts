/**
 * The manager's state as two files with the same content, `manager-state.json` and `manager-state.json.previous`. Both
 * are written anew, with a checksum, and renamed over the old ones: whenever the manager is killed both are whole, and
 * differ at most in a state that nobody has been told of. So whichever of them is damaged later, by the disk or by a
 * hand, the other one holds everything that was ever published, and no epoch or incarnation is given out twice
 * (docs/adr/0011-state-file.md).
 *
 * Without durability it does not wait for the disk: a power failure ends the nodes, too, and with them all that the
 * state speaks of. With durability they come back, and the state must be there for them; and so it must for nodes that no
 * manager forked, which on other hosts live on.
 *
 * What need not wait for the disk is saved synchronously: a failover waits for it, and a few kilobytes for the page cache take
 * less time than one of the many trips through the thread pool that it would be otherwise, on a machine that is busy just then.
 * What must wait for the disk never stops the manager *[found: with syncs of 300 ms it stood still for a second with each map,
 * and granted no leases meanwhile]*.
 */
import { createHash } from 'node:crypto';
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { makeDirectory, makeSyncedDirectory, syncDirectory } from '../files/directories.js';
import type { Logger } from '../protocol/logger.js';
import type { KnownNode, ManagerState } from './core/state.js';
import type { MetadataStore } from './metadata-store.js';

/** Raised with every incompatible change of the file. */
const formatVersion = 2;
/** For their owner only. */
const directoryMode = 0o700;
const fileMode = 0o600;

interface StateFile {
  readonly formatVersion: number;
  /** Of format version and state. */
  readonly sha256: string;
  readonly state: ManagerState;
}

/** What one of the two files has to say. */
type Content =
  | { readonly kind: 'whole'; readonly state: ManagerState }
  | { readonly kind: 'missing' }
  | { readonly kind: 'damaged'; readonly why: string };

export class FileMetadataStore implements MetadataStore {
  readonly outlivesProcess = true;
  readonly path: string;
  readonly previousPath: string;
  readonly #directory: string;
  readonly #log: Logger;

  constructor(directory: string, log: Logger) {
    this.#directory = resolve(directory);
    this.path = join(this.#directory, 'manager-state.json');
    this.previousPath = `${this.path}.previous`;
    this.#log = log;
  }

  async load(): Promise<ManagerState | null> {
    const main = await readStateFile(this.path);
    const previous = await readStateFile(this.previousPath);
    if (main.kind === 'whole') {
      if (previous.kind === 'damaged') await this.#setAside(this.previousPath, previous.why, this.path);
      return main.state;
    }
    if (main.kind === 'missing' && previous.kind === 'missing') return null;
    if (previous.kind !== 'whole') {
      // Both stay where they are: without them the next start would begin an empty cluster.
      throw new Error(
        `the manager's state cannot be read: ${this.path} ${describe(main)}, ${this.previousPath} ${describe(previous)}; ` +
          'put back a good copy of either, or end the nodes that still run and move both away to begin with an empty cluster',
      );
    }
    if (main.kind === 'damaged') await this.#setAside(this.path, main.why, this.previousPath);
    else this.#log.error(`${this.path} is missing; using ${this.previousPath}`);
    return previous.state;
  }

  async save(state: ManagerState): Promise<void> {
    const text = serialize(state);
    const mustBeSynced = state.settings.durability !== 'none' || state.knownNodes.some(livesElsewhere);
    if (mustBeSynced) await this.#saveSynced(text);
    else await this.#save(text);
  }

  get #paths(): readonly string[] {
    return [this.path, this.previousPath];
  }

  async #save(text: string): Promise<void> {
    if (!existsSync(this.#directory)) await makeDirectory(this.#directory, directoryMode);
    for (const path of this.#paths) writeFileSync(`${path}.next`, text, { mode: fileMode });
    for (const path of this.#paths) renameSync(`${path}.next`, path);
  }

  async #saveSynced(text: string): Promise<void> {
    await makeSyncedDirectory(this.#directory, directoryMode);
    const written = await Promise.allSettled(
      this.#paths.map((path) => writeFile(`${path}.next`, text, { mode: fileMode, flush: true })),
    );
    // Not before both have ended: whoever tries again writes to the same files.
    for (const each of written) if (each.status === 'rejected') throw each.reason;
    for (const path of this.#paths) await rename(`${path}.next`, path);
    await syncDirectory(this.#directory);
  }

  async clear(): Promise<void> {
    for (const path of [this.path, this.previousPath]) {
      await rm(path, { force: true });
      await rm(`${path}.next`, { force: true });
    }
  }

  /** A damaged file is kept, for whoever wants to know what became of it. */
  async #setAside(path: string, why: string, used: string): Promise<void> {
    const aside = `${path}.damaged-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`;
    await rename(path, aside);
    this.#log.error(`${path} ${why}; using ${used}, which says the same; the damaged file is now ${aside}`);
  }
}

/** It may: this host's power failure need not end it. */
function livesElsewhere({ spawned, drained }: KnownNode): boolean {
  return !spawned && drained !== true;
}

function checksum(version: number, stateText: string): string {
  return createHash('sha256').update(`${version} ${stateText}`).digest('hex');
}

function serialize(state: ManagerState): string {
  const stateText = JSON.stringify(state);
  return `{"formatVersion":${formatVersion},"sha256":"${checksum(formatVersion, stateText)}","state":${stateText}}\n`;
}

/** @throws Error if the file is whole, but of another version */
async function readStateFile(path: string): Promise<Content> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { kind: 'missing' };
    return { kind: 'damaged', why: `cannot be read (${message})` };
  }
  let content: Partial<StateFile> | null;
  try {
    content = JSON.parse(text) as Partial<StateFile> | null;
  } catch {
    return { kind: 'damaged', why: `is not valid JSON (${text.length} characters)` };
  }
  const version = content?.formatVersion;
  if (content === null || typeof version !== 'number') {
    return { kind: 'damaged', why: 'is no state of a manager' };
  }
  // Only the first version had none.
  const mayLackChecksum = version === 1 && content.sha256 === undefined;
  if (!mayLackChecksum && content.sha256 !== checksum(version, JSON.stringify(content.state))) {
    return { kind: 'damaged', why: 'does not fit its checksum' };
  }
  if (version !== formatVersion || content.state === undefined) {
    throw new Error(
      `${path} was written by another version of gtstore; run that version, or move manager-state.json* away to begin with an empty cluster`,
    );
  }
  return { kind: 'whole', state: content.state };
}

function describe(content: Content): string {
  return content.kind === 'damaged' ? content.why : `is ${content.kind}`;
}
