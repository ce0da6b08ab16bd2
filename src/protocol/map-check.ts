/** What a cluster map must hold in itself, whoever sends it. */
import type { ClusterMapData } from './cluster-map.js';
import { ProtocolError } from './errors.js';

/**
 * Holds the parts of a map against each other: as many slots as the settings say; each node once; members that
 * exist, none twice in a slot, each with its epoch of joining; and nothing newer than the map.
 *
 * @throws ProtocolError naming the first thing that is wrong
 */
export function checkMap(data: ClusterMapData): void {
  const { slotCount } = data.settings;
  if (data.slots.length !== slotCount) {
    throw new ProtocolError(`a map of ${data.slots.length} slots whose settings say ${slotCount}`);
  }
  const ids = nodeIds(data);
  for (let index = 0; index < slotCount; index++) checkSlot(data, ids, index);
}

/** The same, of the nodes and of these slots only. */
export function checkSlots(data: ClusterMapData, indices: readonly number[]): void {
  const ids = nodeIds(data);
  for (const index of indices) checkSlot(data, ids, index);
}

function nodeIds({ nodes }: ClusterMapData): ReadonlySet<number> {
  const ids = new Set(nodes.map(({ id }) => id));
  if (ids.size !== nodes.length) throw new ProtocolError('a map that has a node twice');
  return ids;
}

function checkSlot({ slots, epoch }: ClusterMapData, ids: ReadonlySet<number>, index: number): void {
  const slot = slots[index];
  if (slot === undefined) throw new ProtocolError(`slot ${index} of ${slots.length}`);
  const { changedAt, replicas, learners, joinedAt } = slot;
  const members = [...replicas, ...learners];
  if (joinedAt.length !== members.length) {
    throw new ProtocolError(`slot ${index} has ${members.length} members and ${joinedAt.length} joinedAt`);
  }
  if (new Set(members).size !== members.length) throw new ProtocolError(`slot ${index} has a member twice`);
  const stranger = members.find((id) => !ids.has(id));
  if (stranger !== undefined) throw new ProtocolError(`slot ${index} names node ${stranger}, not in the map`);
  if (changedAt > epoch || joinedAt.some((at) => at > epoch)) {
    throw new ProtocolError(`slot ${index} changed after the map's epoch ${epoch}`);
  }
}
