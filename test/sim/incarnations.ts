/** Which process each incarnation was given to, and whether that process still has what it had by it. */
import type { ClusterMap, MemberNode } from '../../src/protocol/cluster-map.js';
import type { World } from './world.js';

export class Incarnations {
  readonly #world: World;
  /** Of those that were a member in some map. */
  readonly #pids = new Map<number, number>();

  constructor(world: World) {
    this.#world = world;
  }

  /** One that is no member any more is dead, or has another incarnation. */
  note(map: ClusterMap): void {
    if (map.nodes.every(({ incarnation }) => this.#pids.has(incarnation))) return;
    for (const { id, incarnation, pid } of this.#world.manager.core.status().nodes)
      if (map.node(id)?.incarnation === incarnation) this.#pids.set(incarnation, pid);
  }

  /** Whether that member has its data still: its process lives, and was not given another incarnation. */
  lives(member: MemberNode | undefined): boolean {
    if (member === undefined) return false;
    const memberPid = this.#pids.get(member.incarnation);
    return this.#world.nodes.some(({ alive, pid, core, lastIncarnation }) => {
      if (!alive || pid !== memberPid || lastIncarnation > member.incarnation) return false;
      // It may not have heard of its incarnation yet.
      return lastIncarnation < member.incarnation || core.membership.incarnation === member.incarnation;
    });
  }
}
