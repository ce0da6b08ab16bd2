/**
 * Whoever is back with the label of a slot that waits is believed (PROTOCOL D3), though its loss has been accepted: as long as nobody
 * is there to go on by that, the slot begins with what that one has.
 */
import type { ClusterMap } from '../../src/protocol/cluster-map.js';
import type { End } from './network.js';
import type { NodeProcess } from './node-process.js';
import type { World } from './world.js';

interface Comeback {
  readonly node: NodeProcess;
  /** The manager's, of its connections: it has registered on one of them. */
  readonly ends: readonly End[];
}

export class Comebacks {
  readonly #world: World;
  /** By slot: who was there when the latest map came out. */
  readonly #bySlot = new Map<number, readonly Comeback[]>();

  constructor(world: World) {
    this.#world = world;
  }

  /** @param holdersOf - ids of its last full replicas whose disks have it, by slot */
  published(map: ClusterMap, holdersOf: (slot: number) => readonly number[]): void {
    this.#bySlot.clear();
    map.slots.forEach(({ replicas }, slot) => {
      if (replicas.length > 0) return;
      const comebacks = holdersOf(slot).flatMap((id) => this.#find(map, id) ?? []);
      if (comebacks.length > 0) this.#bySlot.set(slot, comebacks);
    });
  }

  /** It runs, and the manager has it as connected, and not as silent. */
  #find(map: ClusterMap, id: number): Comeback | undefined {
    const { manager, nodes } = this.#world;
    const incarnation = map.node(id)?.incarnation;
    const status = manager.core.status().nodes.find((each) => each.id === id);
    const isHere = status?.incarnation === incarnation && status?.state !== 'suspect';
    const node = nodes.find(({ alive, core: { membership } }) => {
      return alive && membership.nodeId === id && membership.incarnation === incarnation;
    });
    if (!manager.alive || !isHere || node === undefined) return undefined;
    return { node, ends: [...manager.ends].filter((end) => end.far.owner === node) };
  }

  /** The manager takes it for silent. */
  lapsed(nodeId: number): void {
    for (const [slot, comebacks] of this.#bySlot)
      this.#bySlot.set(
        slot,
        comebacks.filter(({ node }) => node.core.membership.nodeId !== nodeId),
      );
  }

  /** The slot begins without what it held. Who was there all the time between two maps was there when that was decided. */
  check(slot: number): void {
    const { manager } = this.#world;
    const isStillThere = ({ node, ends }: Comeback): boolean =>
      node.alive && ends.length > 0 && ends.every(({ open, owner }) => open && owner === manager);
    const comeback = this.#bySlot.get(slot)?.find(isStillThere);
    if (comeback !== undefined)
      this.#world.fail(
        `D3: slot ${slot} begins without what it held, and ${comeback.node.name} is back with it`,
      );
  }
}
