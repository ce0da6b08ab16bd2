// Which part of a slot goes on when its last full replica is dead, without disks (PROTOCOL M6).
import { expect } from 'chai';
import { Intent } from '../../src/manager/core/intent.js';
import { newMember } from '../../src/manager/core/members.js';
import { Planner } from '../../src/manager/core/planner.js';
import { Recovery } from '../../src/manager/core/recovery.js';
import { Roster } from '../../src/manager/core/roster.js';
import { ClusterMap } from '../../src/protocol/cluster-map.js';
import type { SlotAssignment } from '../../src/protocol/cluster-map.js';
import { defaultSettings } from '../../src/protocol/settings.js';

const nodeCount = 3;

describe('M6: a slot in memory that has lost its last full replica', () => {
  const settings = { ...defaultSettings, replicas: 2, slotCount: nodeCount };
  const lost: { slots: readonly number[]; partly: boolean }[] = [];

  /** Node 0 is dead. @param holders members that had slot 0 whole before they were removed, and are back */
  function recovered(learners: readonly number[], holders: readonly number[]): SlotAssignment[] {
    lost.length = 0;
    const roster = new Roster();
    for (const id of [1, 2]) {
      const disk = { clusterId: '', slots: holders.includes(id) ? ([[0, 1]] as const) : [], clockUs: 0 };
      const node = { id, incarnation: 1, host: 'h', port: 1, pid: 1 };
      const link = { id, isOfNode: true, isFull: false, send: () => undefined, sendLazily: () => undefined };
      roster.members.set(id, newMember(node, { disk }, link, 0));
    }
    const planner = new Planner({
      ...{
        roster,
        nodeCount,
        isExpectedBack: () => false,
        intent: new Intent(settings, nodeCount, new Map()),
      },
      recovery: new Recovery({ ...settings, roster, nowMs: () => 0 }),
      places: () => [1, 2],
      onSlotsLost: (slots, partly) => lost.push({ slots, partly }),
    });
    const slots = [[0], [1, 2], [2, 1]].map((replicas, slot) => {
      const joining = slot === 0 ? learners : [];
      const joinedAt = [...replicas.map(() => 4), ...joining.map((_, i) => 5 + i)];
      return { changedAt: 4, replicas, learners: joining, joinedAt };
    });
    const nodes = [0, 1, 2].map((id) => ({ id, incarnation: 1, host: 'h', port: 1 }));
    let map = new ClusterMap({ clusterId: 'c', epoch: 9, settings, nodes, slots });
    const states: SlotAssignment[] = [];
    for (let next = planner.next(map); next !== null && states.length < 4; next = planner.next(map)) {
      map = next;
      states.push(map.slot(0));
    }
    return states;
  }

  it('begins empty if nobody has anything of it', () => {
    expect(recovered([], [])[0]?.replicas).to.deep.equal(
      [1, 2].slice(0, recovered([], [])[0]?.replicas.length),
    );
    expect(lost).to.deep.equal([{ slots: [0], partly: false }]);
  });

  it('goes on with the part of the learner that had it whole once, though another has been one for longer', () => {
    const [first] = recovered([1, 2], [2]);
    expect(first?.replicas).to.deep.equal([2]);
    expect(lost).to.deep.equal([{ slots: [0], partly: true }]);
  });

  it('goes on with what somebody had who is back, and no learner yet, by the epoch at which he had it', () => {
    const [first] = recovered([], [2]);
    expect([first?.replicas, first?.joinedAt[0]]).to.deep.equal([[2], 1]);
    expect(lost).to.deep.equal([{ slots: [0], partly: true }]);
  });
});
