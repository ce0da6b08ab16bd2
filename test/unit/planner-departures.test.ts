// Whom the manager takes off slots behind a fence (PROTOCOL M4).
import { expect } from 'chai';
import { Intent } from '../../src/manager/core/intent.js';
import { newMember } from '../../src/manager/core/members.js';
import { Planner } from '../../src/manager/core/planner.js';
import { Recovery } from '../../src/manager/core/recovery.js';
import { Roster } from '../../src/manager/core/roster.js';
import { ClusterMap } from '../../src/protocol/cluster-map.js';
import { defaultSettings } from '../../src/protocol/settings.js';

const disk = { clusterId: '', slots: [], clockUs: 0 };
const nodeCount = 3;
const nowMs = (): number => 0;

describe('M4: the departures of a slot', () => {
  const settings = { ...defaultSettings, replicas: 1, slotCount: nodeCount };
  const nodes = [0, 1, 2].map((id) => ({ id, incarnation: id + 1, host: 'h', port: 1 }));
  let roster: Roster;

  beforeEach(() => {
    roster = new Roster();
    for (const node of nodes) roster.members.set(node.id, newMember({ ...node, pid: 1 }, { disk }, null, 0));
  });

  function isolate(nodeId: number): void {
    roster.isolated.set(nodeId, { cause: 'cutOff', forMs: 1, untilMs: 1 });
  }

  function plannerOf(intent: Intent, isExpectedBack: (id: number) => boolean): Planner {
    return new Planner({
      ...{ roster, nodeCount, isExpectedBack, intent },
      recovery: new Recovery({ ...settings, roster, nowMs }),
      places: () => [0, 1, 2],
      onSlotsLost: () => undefined,
    });
  }

  /** Slot 0 has two replicas, its home and a substitute. */
  function mapOf(replicas: number): ClusterMap {
    const slots = [[0, 1], [1], [2]].map((ids) => ({
      ...{ changedAt: 4, replicas: ids, learners: [] },
      joinedAt: ids.map(() => 4),
    }));
    return new ClusterMap({ clusterId: 'c', epoch: 4, settings: { ...settings, replicas }, nodes, slots });
  }

  function departures({ isExpectedBack }: { isExpectedBack: (id: number) => boolean }): number[] {
    const planner = plannerOf(new Intent(settings, nodeCount, new Map()), isExpectedBack);
    const map = mapOf(1);
    expect(new Set(planner.departures(map).map(({ slot }) => slot))).to.deep.equal(new Set([0]));
    return planner.departures(map).map(({ nodeId }) => nodeId);
  }

  it('are the substitute, when the home is back', () => {
    expect(departures({ isExpectedBack: () => false })).to.deep.equal([1]);
  });

  it('are nobody in a slot that has not had its turn since the number of replicas was raised: it would have more to copy', () => {
    const intent = new Intent({ ...settings, replicas: 2 }, nodeCount, new Map());
    intent.targets = [[0], [1], [2]];
    for (const slot of [0, 1, 2]) intent.waiting.add(slot);
    expect(plannerOf(intent, () => false).departures(mapOf(2))).to.deep.equal([]);
  });

  it('are who is cut off', () => {
    isolate(1);
    expect(departures({ isExpectedBack: () => false })).to.deep.equal([1]);
    roster.isolated.clear();
    isolate(0);
    expect(departures({ isExpectedBack: () => false })).to.deep.equal([0]);
  });

  it('are nobody else beside who is cut off, though his place is kept for him: or nobody would be left', () => {
    isolate(0);
    expect(departures({ isExpectedBack: (id) => id === 0 })).to.deep.equal([0]);
  });
});
