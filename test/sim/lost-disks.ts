/**
 * Disks that are lost, and disks that are mounted late: a node that was killed is started again with an empty directory, and
 * stays without what it had, or is killed once more and finds it mounted.
 */
import type { NodeProcess } from './node-process.js';
import type { World } from './world.js';

/** Most of those that have a slot die within a moment, each with or without its disk. */
export function loseDisks(world: World): void {
  const { prng, plan, manager } = world;
  const slot = world.slotOf(prng.pick(plan.keys));
  const { replicas = [], learners = [] } = manager.core.map?.slots[slot] ?? {};
  const isSpared = prng.chance(0.3);
  const ids = [...replicas, ...learners.filter(() => prng.chance(0.3))].filter(
    () => !isSpared || prng.chance(0.6),
  );
  const withinMs = prng.pick([0, 5, plan.settings.leaseMs]);
  for (const id of ids) {
    world.queue.after(prng.next() * withinMs, () => {
      if (!world.calm) loseDisk(world, id);
    });
  }
}

function loseDisk(world: World, nodeId: number): void {
  const { prng, plan } = world;
  const disk = world.diskOf(nodeId);
  if (disk === undefined) return;
  killOwner(world, disk.owner);
  const fate = prng.pick(['kept', 'lost', 'late', 'late'] as const);
  if (fate === 'kept' || disk.isAside) return;
  if (world.isTracing) world.trace(`the disk of node ${nodeId} is ${fate}`);
  world.coverage.note('diskLost');
  if (fate === 'lost') {
    disk.wipe();
  } else {
    disk.setAside();
    // Mostly it has been started without by then.
    world.queue.after(plan.settings.leaseMs * prng.between(0.1, prng.chance(0.5) ? 3 : 10), () => {
      if (!world.calm) mountLate(world, nodeId);
    });
  }
  world.observer.identitiesChanged();
}

/** Whoever runs without it is killed, and finds it when it is started again. */
function mountLate(world: World, nodeId: number): void {
  const disk = world.diskOf(nodeId);
  if (disk?.isAside !== true) return;
  if (world.isTracing) world.trace(`the disk of node ${nodeId} is mounted`);
  killOwner(world, disk.owner);
  disk.mount();
  world.observer.identitiesChanged();
}

/** When the faults end: some are never mounted any more. */
export function mountRest(world: World): void {
  for (const { id } of world.manager.core.status().nodes)
    if (world.diskOf(id)?.isAside === true && world.prng.chance(0.5)) mountLate(world, id);
}

function killOwner(world: World, owner: NodeProcess | null): void {
  if (owner?.alive === true) world.crashNode(owner);
}
