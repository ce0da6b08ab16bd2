/**
 * A state with more nodes than a cluster may have is not sent to anybody: the codec refuses its map. None is made any more; one
 * that was, by strangers that registered again and again, goes on without those that hold nothing.
 */
import { nodesMax } from '../../protocol/settings.js';
import type { ManagerState } from './state.js';

/** @returns the same state, if it is within the bounds */
export function boundedState(state: ManagerState): ManagerState {
  const { map, knownNodes } = state;
  const present = knownNodes.filter(({ drained }) => drained !== true).length;
  if (present <= nodesMax && (map?.nodes.length ?? 0) <= nodesMax) return state;
  const needed = neededNodes(state);
  for (const { id, spawned, drained } of knownNodes) if (spawned || drained === true) needed.add(id);
  const lastId = [...knownNodes, ...(map?.nodes ?? [])].reduce((last, { id }) => Math.max(last, id), 0);
  return {
    ...state,
    knownNodes: knownNodes.filter(({ id }) => needed.has(id)),
    // No id is given twice.
    nextNodeId: Math.max(state.nextNodeId ?? state.nodeCount, lastId + 1),
    map: map === null ? null : { ...map, nodes: map.nodes.filter(({ id }) => needed.has(id)) },
  };
}

/** Those that have something of a slot, or shall have. */
function neededNodes({ map, awaited = [], targets = [], task }: ManagerState): Set<number> {
  const steps = [...(task?.steps ?? []), ...(task?.moving ?? [])];
  return new Set([
    ...(map?.slots ?? []).flatMap(({ replicas, learners }) => [...replicas, ...learners]),
    ...awaited.flatMap(([, replicas]) => replicas.map(([id]) => id)),
    ...targets.flat(),
    ...steps.flatMap(({ target }) => target),
    ...(task?.restarts ?? []).map(([id]) => id),
  ]);
}
