/** Which maps count (M7): those of the same cluster with a higher epoch. */
import { ClusterMap } from '../../protocol/cluster-map.js';
import type { ClusterMapData } from '../../protocol/cluster-map.js';
import { ProtocolError } from '../../protocol/errors.js';

/**
 * @returns null: it is no newer than the known one
 * @throws ProtocolError if it is of another cluster, whatever its epoch
 */
export function newerMap(data: ClusterMapData, known: ClusterMap | null): ClusterMap | null {
  if (known !== null && data.clusterId !== known.clusterId) {
    throw new ProtocolError(`a map of another cluster, ${data.clusterId}`);
  }
  return known === null || data.epoch > known.epoch ? new ClusterMap(data) : null;
}
