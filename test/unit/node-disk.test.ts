import { expect } from 'chai';
import { ClusterMap, newSlot } from '../../src/protocol/cluster-map.js';
import { defaultSettings } from '../../src/protocol/settings.js';
import { NodeDisk } from '../../src/node/node-disk.js';
import { ArenaStore } from '../../src/node/storage/arena-store.js';
import { LogLines, useDisks } from '../support/disk-journal.js';

const settings = { ...defaultSettings, replicas: 1, slotCount: 1 };
const me = { nodeId: 3, incarnation: 8 };

describe("a node's disk", () => {
  const disks = useDisks();
  let disk: NodeDisk | undefined;
  afterEach(() => disk?.close());

  async function open(directory: string): Promise<NodeDisk> {
    await disk?.close();
    const log = new LogLines();
    disk = await NodeDisk.open({ directory, store: new ArenaStore(), log, onSaved: () => undefined });
    return disk;
  }

  function mapOf(
    epoch: number,
    ...members: readonly (readonly [id: number, incarnation: number])[]
  ): ClusterMap {
    const nodes = members.map(([id, incarnation]) => ({ id, incarnation, host: 'h', port: id + 1 }));
    return new ClusterMap({ clusterId: 'own', epoch, settings, nodes, slots: [newSlot([0], 1)] });
  }

  it("M3: is nobody's until a map names this very life of the node, and its own from then on", async () => {
    const directory = disks.directory();
    const first = await open(directory);
    first.mapAdopted(mapOf(1, [0, 1]), { nodeId: -1, incarnation: 0 });
    // REGISTERED, with a map that does not name it yet.
    first.mapAdopted(mapOf(1, [0, 1]), me);
    // The manager was killed and has forgotten it: another process has the id.
    first.mapAdopted(mapOf(2, [0, 1], [3, 9]), me);
    expect([first.nodeId, first.clusterId]).to.deep.equal([undefined, '']);
    const second = await open(directory);
    expect([second.nodeId, second.clusterId]).to.deep.equal([undefined, '']);
    second.mapAdopted(mapOf(3, [0, 1], [3, 8]), me);
    expect([second.nodeId, second.clusterId]).to.deep.equal([3, 'own']);
    // Taken off, it stays what it was.
    second.mapAdopted(mapOf(4, [0, 1]), { nodeId: 3, incarnation: 0 });
    const third = await open(directory);
    expect([third.nodeId, third.clusterId]).to.deep.equal([3, 'own']);
  });
});
