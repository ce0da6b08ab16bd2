/**
 * Whether a cluster's hash suits its keys. A sum of bytes gives keys that are alike to few slots: then some nodes hold
 * most of the data, and neither more nodes nor rebalancing can mend it.
 */
import type { ClusterMap } from '../../protocol/cluster-map.js';
import { betterPartitionerThan } from '../../protocol/partition.js';
import type { SlotLoads } from './slot-loads.js';

/** Fewer keys are no sample. */
const keysMin = 1000;
const keysPerNodeMin = 100;
const keysPerSlotMin = 4;
/** As many times its share of the keys is too much for a node. */
const excessMax = 2;

/** One sentence, or null: the keys are spread well enough, or too few are known to tell. */
export function describeBadSpread(map: ClusterMap, loads: SlotLoads): string | null {
  const { partitioner } = map.settings;
  const better = betterPartitionerThan(partitioner);
  if (better === null) return null;
  const keysOf = map.slots.map((_, slot) => loads.keysOf(slot));
  const keys = keysOf.reduce((sum, each) => sum + each, 0);
  if (keys <= keysMin || keys < keysPerNodeMin * map.nodes.length) return null;
  const isTold = map.slots.every(({ replicas }, slot) => replicas.length === 0 || loads.knows(slot));
  if (!isTold) return null;
  const fault = fullestNode(map, keysOf, keys) ?? emptySlots(keysOf, keys);
  if (fault === null) return null;
  return (
    `${partitioner} spreads these keys badly: ${fault}; ` +
    `to mend it, gtstore export the data, start a new cluster with --partitioner ${better}, and gtstore import it there`
  );
}

/** As primary. Its share is that of its slots, or of one node among all, whichever is more. */
function fullestNode(map: ClusterMap, keysOf: readonly number[], keys: number): string | null {
  const byPrimary = new Map<number, { keys: number; slots: number }>();
  map.slots.forEach(({ replicas: [primary] }, slot) => {
    if (primary === undefined) return;
    const held = byPrimary.get(primary) ?? { keys: 0, slots: 0 };
    byPrimary.set(primary, { keys: held.keys + (keysOf[slot] ?? 0), slots: held.slots + 1 });
  });
  const [fullest] = [...byPrimary].sort(([, a], [, b]) => b.keys - a.keys);
  if (fullest === undefined) return null;
  const [id, held] = fullest;
  const share = Math.max(held.slots / map.slots.length, 1 / byPrimary.size);
  if (held.keys <= excessMax * share * keys) return null;
  return `node ${id} is the primary of ${percent(held.keys / keys)} of them, but of ${percent(held.slots / map.slots.length)} of the slots`;
}

function emptySlots(keysOf: readonly number[], keys: number): string | null {
  const used = keysOf.filter((each) => each > 0).length;
  if (keys < keysPerSlotMin * keysOf.length || used >= keysOf.length / 2) return null;
  return `${used} of ${keysOf.length} slots hold all of them`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
