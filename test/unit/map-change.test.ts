import { expect } from 'chai';
import { ClusterMap, newSlot } from '../../src/protocol/cluster-map.js';
import type { ClusterMapData } from '../../src/protocol/cluster-map.js';
import { ProtocolError } from '../../src/protocol/errors.js';
import { changed, changeOf } from '../../src/protocol/map-change.js';
import { defaultSettings } from '../../src/protocol/settings.js';

const nodes = [1, 2, 3].map((id) => ({ id, incarnation: id, host: 'h', port: 1 }));
const settings = { ...defaultSettings, slotCount: 3 };
const base: ClusterMapData = {
  clusterId: 'c',
  epoch: 4,
  settings,
  nodes,
  slots: [newSlot([1, 2], 1), newSlot([2, 3], 2), newSlot([3, 1], 3)],
};
const joined = { changedAt: 5, replicas: [1, 2], learners: [3], joinedAt: [1, 1, 5] };

describe('M7: what differs between two maps', () => {
  it('makes the one into the other, and is no larger than that', () => {
    const next = new ClusterMap({ ...base, epoch: 5, slots: base.slots.with(0, joined) }).toData();
    const change = changeOf(base, next);
    expect(change.slots).to.deep.equal([[0, joined]]);
    expect(changed(base, change)).to.deep.equal(next);
  });

  it('with a member that is gone, settings that are others, and an epoch without a change', () => {
    const slots = [newSlot([2], 5), base.slots[1] ?? joined, newSlot([3], 5)];
    const others = { ...settings, replicas: 2 };
    for (const next of [
      { ...base, epoch: 5, nodes: nodes.slice(1), slots },
      { ...base, epoch: 5, settings: others },
      { ...base, epoch: 9 },
    ]) {
      expect(changed(base, changeOf(base, next))).to.deep.equal(next);
    }
  });

  const change = { base: 4, epoch: 5, settings, nodes, slots: [] };
  const unsound = {
    'of another map': { ...change, base: 3 },
    'to an older epoch': { ...change, epoch: 4 },
    'to a slot that there is not': { ...change, slots: [[3, joined]] },
    'that names a stranger': { ...change, slots: [[0, { ...joined, learners: [7] }]] },
    'that loses a member of a slot': { ...change, nodes: nodes.slice(1) },
    'that has a node twice': { ...change, nodes: [...nodes, ...nodes] },
    'to other numbers of slots': { ...change, settings: { ...settings, slotCount: 4 } },
    'from the future': { ...change, slots: [[0, { ...joined, changedAt: 6 }]] },
  } as const;
  for (const [what, each] of Object.entries(unsound))
    it(`a change ${what} is refused`, () => {
      expect(() => changed(base, each)).to.throw(ProtocolError);
    });
});
