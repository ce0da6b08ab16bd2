/**
 * Whom a map may leave out (PROTOCOL M4, M9): nobody whom the slot still needs, neither a living replica nor, with disks, one
 * of the dead whose disk has it.
 */
import type { ClusterMap, ClusterMapData, MemberNode } from '../../src/protocol/cluster-map.js';
import type { Incarnations } from './incarnations.js';
import type { World } from './world.js';

export class Removals {
  readonly #world: World;
  readonly #incarnations: Incarnations;

  constructor(world: World, incarnations: Incarnations) {
    this.#world = world;
    this.#incarnations = incarnations;
  }

  /** @param hasRestart - nodes are, or were, being restarted one by one */
  check(previous: ClusterMapData, map: ClusterMap, index: number, hasRestart: boolean): void {
    this.#checkRemoval(previous, map, index, hasRestart);
    this.#checkSurvivors(previous, map, index);
    this.#checkLast(previous, map, index);
  }

  /** Whoever is taken off a slot while it could stay leaves K full replicas behind, or one less to be restarted. */
  #checkRemoval(previous: ClusterMapData, map: ClusterMap, index: number, hasRestart: boolean): void {
    const { coverage, tasks } = this.#world;
    const isBlurred = (['isolation', 'leaseLapsed', 'slotLost'] as const).some((each) =>
      coverage.seen.has(each),
    );
    if (!tasks.isEnabled || isBlurred || map.epoch !== previous.epoch + 1) return;
    const before = previous.slots[index]?.replicas ?? [];
    const { replicas } = map.slot(index);
    const isTakenOff = before.some((id) => {
      const member = previous.nodes.find((node) => node.id === id);
      const isMember = map.node(id)?.incarnation === member?.incarnation;
      return !replicas.includes(id) && isMember && this.#incarnations.lives(member);
    });
    if (!isTakenOff) return;
    const isRestart = hasRestart && map.settings.replicas > 1;
    const nodeCount = this.#world.manager.core.status().nodes.length;
    const wanted =
      Math.min(map.settings.replicas, isRestart ? nodeCount : before.length) - (isRestart ? 1 : 0);
    if (replicas.length >= wanted) return;
    this.#world.fail(
      `M4: slot ${index} is left with ${replicas.length} full replicas by a move, not ${wanted}`,
    );
  }

  /** A map that comes out when all replicas of a slot are known to be dead takes no living one off, nor one whose disk has it, too. */
  #checkSurvivors(previous: ClusterMapData, map: ClusterMap, index: number): void {
    const { replicas } = map.slot(index);
    if (replicas.length === 0 || replicas.some((id) => this.#incarnations.lives(map.node(id)))) return;
    if (replicas.some((id) => this.#isKnown(map.node(id)))) return;
    const left = `slot ${index} is left to ${replicas.join(' ')}, known to be dead`;
    const [survivor] = this.#survivors(previous, index);
    if (survivor !== undefined) this.#world.fail(`M4: ${left}, and ${survivor.id} has it`);
    // D3: nobody has seen a map without them.
    const before = previous.slots[index]?.replicas ?? [];
    const taken = before.filter((id) => !replicas.includes(id));
    if (this.#world.plan.hasDisks && map.epoch === previous.epoch + 1 && taken.length > 0)
      this.#world.fail(`D3: ${left}, and the disk of ${taken.join(' ')} may have it, too`);
  }

  /** No slot is left to nobody while one that had it stays a member: it has everything. */
  #checkLast(previous: ClusterMapData, map: ClusterMap, index: number): void {
    if (map.slot(index).replicas.length > 0 || map.epoch !== previous.epoch + 1) return;
    const isMember = ({ id, incarnation }: MemberNode): boolean => map.node(id)?.incarnation === incarnation;
    const last = this.#survivors(previous, index).find(isMember);
    if (last !== undefined) this.#world.fail(`M4: slot ${index} is left to nobody, and ${last.id} had it`);
  }

  /** Who had it, and lives, to the manager as well. */
  #survivors({ nodes, slots }: ClusterMapData, index: number): MemberNode[] {
    const ids = slots[index]?.replicas ?? [];
    return nodes.filter(
      (member) => ids.includes(member.id) && this.#isKnown(member) && this.#incarnations.lives(member),
    );
  }

  /** To the manager it lives, in that incarnation. */
  #isKnown(member: MemberNode | undefined): boolean {
    const known = this.#world.manager.core.status().nodes;
    return known.some(({ id, incarnation }) => id === member?.id && incarnation === member.incarnation);
  }
}
