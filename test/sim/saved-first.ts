/**
 * What the manager tells must be saved before: maps (M7), that there may be fences (M4), that an incarnation is over (M6), incarnations but for those a restarted
 * manager skips (M3), what an administrator is told of his tasks (M9). Whoever was told would otherwise know more than a manager
 * that is started again.
 */
import type { AdminRequest } from '../../src/protocol/admin.js';
import { MessageType } from '../../src/protocol/messages.js';
import type { Message } from '../../src/protocol/messages.js';
import type { World } from './world.js';

/** As in manager-core.ts. */
const incarnationsSkipped = 1000;

export class SavedFirst {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** The manager sends it. */
  told(message: Message): void {
    switch (message.type) {
      case MessageType.map:
        if (message.map !== null) this.#checkEpoch(message.map.epoch);
        return;
      case MessageType.mapChange:
      case MessageType.lease:
        this.#checkEpoch(message.epoch);
        return;
      case MessageType.registered:
        this.#checkEpoch(message.map.epoch);
        this.#checkIncarnation(message.incarnation);
        return;
      case MessageType.fence:
        this.#checkFence(message.epoch);
        return;
      case MessageType.removed:
        this.#checkRemoved(message.incarnation);
        return;
      default:
        return;
    }
  }

  get #epoch(): number {
    return this.#world.disk?.map?.epoch ?? 0;
  }

  #checkEpoch(epoch: number): void {
    if (epoch > this.#epoch)
      this.#world.fail(`M7: the manager tells of epoch ${epoch}, and ${this.#epoch} is on its disk`);
  }

  #checkIncarnation(incarnation: number): void {
    const next = this.#world.disk?.nextIncarnation ?? 0;
    if (incarnation >= next + incarnationsSkipped)
      this.#world.fail(`M3: incarnation ${incarnation} is given away, and the next on the disk is ${next}`);
  }

  #checkFence(epoch: number): void {
    if (this.#world.disk?.fencing !== true && epoch > this.#epoch)
      this.#world.fail(`M4: nodes are fenced for epoch ${epoch}, of which the disk knows nothing`);
  }

  /** One that has died will not hear of it. */
  #checkRemoved(incarnation: number): void {
    const { nodes, disk } = this.#world;
    const isAlive = nodes.some(({ alive, core }) => alive && core.membership.incarnation === incarnation);
    if (isAlive && disk?.map?.nodes.some((node) => node.incarnation === incarnation) === true)
      this.#world.fail(
        `M6: incarnation ${incarnation} is told that it is over, and the map on the disk names it`,
      );
  }

  /** An administrator is told that it has been taken on. */
  acceptedTask(request: AdminRequest, nodeIds: readonly number[]): void {
    if (this.#isSaved(request, nodeIds)) return;
    this.#world.fail(`M9: '${request.command}' is answered, and the disk knows nothing of it`);
  }

  #isSaved(request: AdminRequest, nodeIds: readonly number[]): boolean {
    const { disk } = this.#world;
    if (disk === null) return false;
    switch (request.command) {
      case 'add-nodes':
        return nodeIds.every((id) => disk.knownNodes.some((known) => known.id === id));
      case 'set-replicas':
        return disk.settings.replicas === request.replicas;
      case 'drain':
      case 'restart-rolling':
        return disk.task?.task === request.command;
      default:
        return true;
    }
  }
}
