/**
 * What differs between two maps that follow each other (PROTOCOL M7). While slots move, a map follows the other every
 * fraction of a second, and differs from it in a few slots of many: every process of the cluster would read all of it.
 */
import type { ClusterMapData, MemberNode, SlotAssignment } from './cluster-map.js';
import { ProtocolError } from './errors.js';
import { checkMap, checkSlots } from './map-check.js';
import type { ClusterSettings } from './settings.js';

export interface MapChange {
  /** Epoch of the map that it changes. */
  readonly base: number;
  /** Epoch of the map that comes of it. */
  readonly epoch: number;
  readonly settings: ClusterSettings;
  readonly nodes: readonly MemberNode[];
  /** Those that are not as they were, by number. */
  readonly slots: readonly (readonly [slot: number, assignment: SlotAssignment])[];
}

/** @param map made of `base`: a slot that did not change is the same object in both */
export function changeOf(base: ClusterMapData, map: ClusterMapData): MapChange {
  const { epoch, settings, nodes } = map;
  const slots: [number, SlotAssignment][] = [];
  map.slots.forEach((assignment, slot) => {
    if (assignment !== base.slots[slot]) slots.push([slot, assignment]);
  });
  return { base: base.epoch, epoch, settings, nodes, slots };
}

/**
 * The map that `base` becomes.
 *
 * @throws ProtocolError if it would not be sound, or is no successor of `base`
 */
export function changed(base: ClusterMapData, change: MapChange): ClusterMapData {
  const { epoch, settings, nodes } = change;
  if (change.base !== base.epoch || epoch <= base.epoch) {
    throw new ProtocolError(`a change of epoch ${change.base} to ${epoch}, of a map of epoch ${base.epoch}`);
  }
  const slots = [...base.slots];
  for (const [slot, assignment] of change.slots) slots[slot] = assignment;
  const map = { clusterId: base.clusterId, epoch, settings, nodes, slots };
  const isMemberLost = base.nodes.some(({ id }) => nodes.every((node) => node.id !== id));
  if (isMemberLost || slots.length !== settings.slotCount) checkMap(map);
  else
    checkSlots(
      map,
      change.slots.map(([slot]) => slot),
    );
  return map;
}
