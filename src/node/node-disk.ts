/** What a node process keeps on its disk: opened and read before it joins, closed when it ends. */
import type { Logger } from '../protocol/logger.js';
import type { ClusterMap } from '../protocol/cluster-map.js';
import type { Durability } from '../protocol/settings.js';
import type { Membership } from './core/membership.js';
import type { NodeCore } from './core/node-core.js';
import type { KeyStore } from './core/store.js';
import { DiskJournal } from './storage/disk-journal.js';

export interface NodeDiskOptions {
  readonly directory: string;
  /** Default: the strictest, until the first map says. */
  readonly durability?: Durability;
  /** Whose data must be there, if any is; default: anybody's. */
  readonly clusterId?: string;
  readonly nodeId?: number;
  readonly store: KeyStore;
  readonly log: Logger;
  readonly onSaved: () => void;
  /** The directory is damaged, and nothing is saved any more. */
  readonly onCorrupt?: () => void;
}

export class NodeDisk {
  readonly journal: DiskJournal;

  private constructor(journal: DiskJournal) {
    this.journal = journal;
  }

  /** @throws Error in words for the user: the directory is in use, or holds the data of another cluster or node. */
  static async open({
    directory,
    durability,
    clusterId,
    nodeId,
    ...rest
  }: NodeDiskOptions): Promise<NodeDisk> {
    const journal = await DiskJournal.open({ ...rest, directory, durability: awaitedBy(durability) });
    const { identity } = journal;
    const isForeign = identity !== null && clusterId !== undefined && identity.clusterId !== clusterId;
    const isOther = identity !== null && nodeId !== undefined && identity.nodeId !== nodeId;
    if (!isForeign && !isOther) return new NodeDisk(journal);
    await journal.close();
    const whose = isForeign ? `another cluster, ${identity.clusterId}` : `node ${identity.nodeId}`;
    throw new Error(`${directory} holds the data of ${whose}: give another --data-dir, or move it away`);
  }

  /** The node it was last; undefined: none yet. */
  get nodeId(): number | undefined {
    return this.journal.identity?.nodeId;
  }

  get clusterId(): string {
    return this.journal.identity?.clusterId ?? '';
  }

  /** Reads all of it into the attic of the core, which has not begun to work yet. */
  async load({ attic }: NodeCore, nowMs: () => number): Promise<void> {
    const content = await this.journal.load((slot, key, version, value, expiresAtMs, applied) => {
      attic.add(slot, key, version, value, expiresAtMs, applied, nowMs());
    });
    attic.loaded(content);
  }

  /**
   * The disk is that of the node from the first map on that names this life of it. What it was told when it registered may be forgotten
   * by a manager that is killed, and the id given to another: it must not come back as the next life of that one (M3).
   */
  mapAdopted(map: ClusterMap, { nodeId, incarnation }: Pick<Membership, 'nodeId' | 'incarnation'>): void {
    this.journal.setDurability(awaitedBy(map.settings.durability));
    const { identity } = this.journal;
    if (identity?.clusterId === map.clusterId && identity.nodeId === nodeId) return;
    if (incarnation === 0 || map.node(nodeId)?.incarnation !== incarnation) return;
    this.journal.setIdentity(map.clusterId, nodeId);
  }

  close(): Promise<void> {
    return this.journal.close();
  }
}

/** A disk that the cluster does not ask for is kept up without anybody waiting for it. */
function awaitedBy(durability: Durability | undefined): 'interval' | 'always' {
  return durability === undefined || durability === 'always' ? 'always' : 'interval';
}
