// What `gtstore status` says above its table.
import { expect } from 'chai';
import { formatStatus } from '../../src/cli/status-table.js';
import type { ClusterStatus, NodeState } from '../../src/protocol/status.js';

function statusOf(states: readonly NodeState[]): ClusterStatus {
  return {
    clusterId: 'c',
    epoch: 3,
    replicas: 2,
    slots: 7,
    partitioner: 'ascii-sum',
    manager: { host: '127.0.0.1', port: 7000, pid: 1 },
    nodes: states.map((state, id) => ({
      ...{ id, host: '127.0.0.1', port: 7001 + id, pid: 2 + id, incarnation: 1, state },
      ...{ primarySlots: 1, replicaSlots: 2, keys: 3, bytes: 4 },
    })),
    underReplicatedSlots: 0,
  };
}

describe('the table of gtstore status', () => {
  it('says how many nodes are up, and what those are that are not', () => {
    const line = (...states: NodeState[]): string | undefined =>
      formatStatus(statusOf(states))
        .split('\n')
        .find((each) => each.startsWith('nodes'));
    expect(line('up', 'up')).to.equal('nodes     2 of 2 up');
    expect(line('joining', 'joining')).to.equal('nodes     0 of 2 up, 2 joining');
    expect(line('up', 'down', 'leaving', 'suspect', 'joining', 'down')).to.equal(
      'nodes     1 of 6 up, 1 joining, 1 leaving, 1 suspect, 2 down',
    );
  });
});
