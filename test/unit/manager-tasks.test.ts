import { expect } from 'chai';
import type { AdminRequest, AdminResult } from '../../src/protocol/admin.js';
import { MessageType } from '../../src/protocol/messages.js';
import { ManagerHarness } from '../support/manager-harness.js';
import { count, errorOf, progressOf } from '../support/task-words.js';

describe('requests of administrators', () => {
  const cases: readonly { readonly request: object; readonly error: RegExp }[] = [
    { request: { command: 'fly' }, error: /no such command; there are add-nodes, start-node, drain/ },
    { request: [], error: /no such command/ },
    { request: { command: 'add-nodes', count: 0 }, error: /count must be a whole number, at least 1/ },
    { request: { command: 'add-nodes', count: 65 }, error: /add at most 64/ },
    { request: { command: 'drain' }, error: /nodeId must be a whole number/ },
    { request: { command: 'drain', nodeId: 9 }, error: /no node 9; there are 0 1 2 3$/ },
    {
      request: { command: 'drain', nodeId: 1, mbPerSecond: 0 },
      error: /mbPerSecond must be a number above 0/,
    },
    {
      // No number that the wire carries, in bytes.
      request: { command: 'drain', nodeId: 1, mbPerSecond: 1e12 },
      error: /mbPerSecond must be a number above 0, at most 100000/,
    },
    { request: { command: 'rebalance', by: 'luck' }, error: /by must be one of slots, bytes, load/ },
    { request: { command: 'rebalance', by: 'slots', dryRun: 1 }, error: /dryRun must be true or false/ },
    { request: { command: 'set-replicas', replicas: 5 }, error: /need at least 5 nodes; there are 4/ },
    { request: { command: 'set-replicas', replicas: 11 }, error: /at most 10/ },
    { request: { command: 'set-replicas', replicas: 1.5 }, error: /replicas must be a whole number/ },
  ];
  for (const { request, error } of cases) {
    it(`M9: ${JSON.stringify(request)} is refused in one line`, () => {
      const harness = new ManagerHarness();
      const answer = errorOf(harness.ask(request));
      expect(answer).to.match(error);
      expect(answer).not.to.include('\n');
      expect(progressOf(harness)).to.equal('none');
    });
  }

  it('M9: nothing can be asked for before the cluster is created', () => {
    const harness = new ManagerHarness();
    harness.isDiskSlow = true;
    harness.state = null;
    harness.restartManager();
    expect(errorOf(harness.ask({ command: 'rebalance', by: 'slots' }))).to.match(/still starting/);
  });

  it('M9: a drain that would leave fewer nodes than replicas is refused', () => {
    const harness = new ManagerHarness({ nodes: 3, settings: { replicas: 3 } });
    expect(errorOf(harness.ask({ command: 'drain', nodeId: 0 }))).to.match(
      /are 2 nodes, too few for 3 replicas/,
    );
    const two = new ManagerHarness({ nodes: 2 });
    expect(errorOf(two.ask({ command: 'drain', nodeId: 0 }))).to.match(/there is 1 node, too few for 2/);
  });

  it('M9: one task at a time', () => {
    const harness = new ManagerHarness();
    harness.node(3).isSlow = true;
    expect(harness.ask({ command: 'drain', nodeId: 0 })).to.include({ ok: true });
    const requests: readonly AdminRequest[] = [
      { command: 'drain', nodeId: 1 },
      { command: 'rebalance', by: 'slots' },
      { command: 'set-replicas', replicas: 3 },
      { command: 'restart-rolling' },
    ];
    for (const request of requests) expect(errorOf(harness.ask(request))).to.match(/a drain is under way \(/);
    expect(harness.ask({ command: 'rebalance', by: 'slots', dryRun: true })).to.include({ ok: true });
  });

  it('M9: each task has a name that is read as one', () => {
    for (const [request, name] of [
      [{ command: 'set-replicas', replicas: 3 }, 'a change of replicas'],
      [{ command: 'restart-rolling' }, 'a rolling restart'],
    ] as const) {
      const harness = new ManagerHarness();
      harness.node(3).isSlow = true;
      harness.ask(request);
      expect(errorOf(harness.ask({ command: 'drain', nodeId: 1 }))).to.match(
        new RegExp(`^${name} is under way \\(`),
      );
    }
  });

  it('M9: a cluster without respawn neither adds nor restarts nodes', () => {
    const harness = new ManagerHarness({ respawn: false });
    expect(errorOf(harness.ask({ command: 'add-nodes', count: 1 }))).to.match(/no-respawn/);
    expect(errorOf(harness.ask({ command: 'restart-rolling' }))).to.match(/no-respawn/);
  });

  it('a node that died is started again on request where none is by itself', () => {
    const harness = new ManagerHarness({ respawn: false });
    const ask = (nodeId: number): AdminResult | null => harness.ask({ command: 'start-node', nodeId });
    expect(errorOf(ask(9))).to.equal('there is no node 9');
    expect(errorOf(ask(1))).to.match(/^node 1 runs/);
    harness.join();
    harness.end(harness.node(4));
    expect(errorOf(ask(4))).to.match(/was not started by this manager: .*gtstore node/);
    harness.end(harness.node(1));
    harness.pass(1000);
    expect(count(harness.slots, 1)).to.equal(0);
    expect(ask(1)).to.deep.equal({ ok: true, nodeIds: [1] });
    harness.pass(1000);
    expect(harness.spawned).to.deep.equal([0, 1, 2, 3, 1]);
    expect(count(harness.slots, 1)).to.be.above(0);
    const other = new ManagerHarness();
    other.lost.add(1);
    other.end(other.node(1));
    expect(errorOf(other.ask({ command: 'start-node', nodeId: 1 }))).to.match(/is being started again/);
  });

  it('M9: is answered once it is saved, and survives the manager from then on', () => {
    const harness = new ManagerHarness();
    harness.isDiskSlow = true;
    expect(harness.ask({ command: 'add-nodes', count: 2 })).to.equal(null);
    expect(harness.spawned).to.deep.equal([0, 1, 2, 3]);
    harness.save();
    harness.run();
    expect(harness.spawned).to.deep.equal([0, 1, 2, 3, 4, 5]);
    harness.isDiskSlow = false;
    harness.restartManager();
    expect(harness.core.status().nodes.map(({ id }) => id)).to.deep.equal([0, 1, 2, 3, 4, 5]);
  });
});

describe('tasks of the manager', () => {
  it('M9: new nodes hold nothing until the slots are rebalanced', () => {
    const harness = new ManagerHarness();
    expect(harness.ask({ command: 'add-nodes', count: 1 })).to.deep.equal({ ok: true, nodeIds: [4] });
    harness.pass(3000);
    expect(count(harness.slots, 4)).to.equal(0);
    harness.ask({ command: 'rebalance', by: 'slots' });
    harness.pass(1000);
    expect(progressOf(harness)).to.match(/^rebalance done (\d+)\/\1$/);
    expect([0, 1, 2, 3, 4].map((id) => count(harness.slots, id))).to.have.members([5, 5, 5, 5, 4]);
  });

  it('M9: no slot ever has fewer full replicas because it moves', () => {
    const harness = new ManagerHarness();
    harness.onMap = (map) => {
      for (const { replicas } of map.slots) expect(replicas.length).to.be.at.least(2);
    };
    harness.ask({ command: 'drain', nodeId: 1 });
    harness.pass(5000);
    expect(progressOf(harness)).to.match(/^drain done/);
  });

  it('M9: a task begins with two slots at once and doubles that up to sixteen', () => {
    const harness = new ManagerHarness({ settings: { slotCount: 120 } });
    const atOnce: number[] = [];
    harness.onMap = ({ slots }) => {
      const moving = slots.filter(({ learners }) => learners.length > 0).length;
      if (moving > 0) atOnce.push(moving);
    };
    harness.ask({ command: 'drain', nodeId: 1 });
    harness.pass(10_000);
    expect(progressOf(harness)).to.match(/^drain done/);
    const [first, ...later] = [...new Set(atOnce)];
    expect(first).to.equal(2);
    expect(later).to.include.members([4, 8, 16]);
    expect(Math.max(...atOnce)).to.equal(16);
  });

  it('M9: slots that do not get where they go hold nobody up for long', () => {
    const harness = new ManagerHarness({ settings: { slotCount: 120 } });
    for (const node of harness.nodes) node.isSlow = true;
    harness.ask({ command: 'drain', nodeId: 1 });
    const moving = (): number =>
      harness.core.map?.slots.filter(({ learners }) => learners.length > 0).length ?? 0;
    harness.pass(9000);
    expect(moving()).to.equal(2);
    harness.pass(25_000);
    expect(moving()).to.equal(16);
  });

  it('M4: a map that is saved when the only replica it leaves a slot has died does not come out; the other stays', () => {
    const harness = new ManagerHarness({ settings: { replicas: 1 } });
    harness.isDiskSlow = true;
    harness.ask({ command: 'drain', nodeId: 1 });
    const handedOver = (): readonly (readonly number[])[] => {
      const next = harness.unsaved.at(-1)?.map?.slots ?? [];
      const isNow = (slot: number): boolean => harness.slots[slot]?.includes(1) === true;
      return next.flatMap(({ replicas }, slot) =>
        isNow(slot) && !replicas.includes(1) ? [[slot, ...replicas]] : [],
      );
    };
    for (let turns = 0; handedOver().length === 0; turns++) {
      expect(turns).to.be.lessThan(100);
      harness.save();
      harness.pass(20);
    }
    const [[slot = -1, heir = -1] = []] = handedOver();
    harness.end(harness.node(heir));
    harness.onMap = ({ slots }) => {
      expect(slots[slot]?.replicas).to.include(1);
    };
    for (let turns = 0; turns < 3; turns++) {
      harness.save();
      harness.run();
    }
    expect(harness.slots[slot]).to.deep.equal([1]);
  });

  it('M9: a drained node is told to end, is not started again, not admitted again, and its id is not used again', () => {
    const harness = new ManagerHarness();
    harness.ask({ command: 'drain', nodeId: 3 });
    harness.pass(3000);
    expect(harness.nodes.map(({ nodeId }) => nodeId)).to.deep.equal([0, 1, 2]);
    expect(harness.spawned).to.deep.equal([0, 1, 2, 3]);
    expect(harness.core.status().nodes.map(({ id }) => id)).to.deep.equal([0, 1, 2]);
    harness.restartManager();
    harness.pass(1000);
    expect(harness.spawned).to.deep.equal([0, 1, 2, 3]);
    expect(harness.ask({ command: 'add-nodes', count: 1 })).to.deep.equal({ ok: true, nodeIds: [4] });
  });

  it('M9: a node that joined from outside ends when it is drained', () => {
    const harness = new ManagerHarness();
    harness.join();
    harness.ask({ command: 'rebalance', by: 'slots' });
    harness.pass(5000);
    expect(count(harness.slots, 4)).to.equal(4);
    harness.ask({ command: 'drain', nodeId: 4 });
    harness.pass(5000);
    expect(harness.nodes.map(({ nodeId }) => nodeId)).to.deep.equal([0, 1, 2, 3]);
  });

  it('M9: while it is drained a node is leaving', () => {
    const harness = new ManagerHarness();
    harness.node(3).isSlow = true;
    harness.ask({ command: 'drain', nodeId: 0 });
    expect(harness.core.status().nodes[0]?.state).to.equal('leaving');
  });

  it('M9: a restarted manager goes on with the task where it was', () => {
    const harness = new ManagerHarness({ settings: { slotCount: 60 } });
    harness.node(2).isSlow = true;
    harness.ask({ command: 'drain', nodeId: 0 });
    harness.pass(100);
    expect(progressOf(harness)).to.match(/^drain running/);
    const before = harness.slots;
    harness.restartManager();
    expect(progressOf(harness)).to.match(/^drain running/);
    expect(harness.slots).to.deep.equal(before);
    expect(harness.core.isSettled, 'ready, though slots are moving').to.equal(true);
    harness.node(2).isSlow = false;
    harness.node(2).copy();
    harness.pass(10_000);
    expect(progressOf(harness)).to.match(/^drain done/);
  });

  it('a state saved before there were tasks is read as one without', () => {
    const harness = new ManagerHarness();
    harness.restartManager();
    const { state, slots } = harness;
    if (state === null) throw new Error('nothing was saved');
    const { targets: _targets, task: _task, replicasAtCreation: _replicas, ...older } = state;
    harness.state = older;
    harness.restartManager();
    harness.pass(10_000);
    expect(harness.slots).to.deep.equal(slots);
    expect(progressOf(harness)).to.equal('none');
    expect(harness.ask({ command: 'drain', nodeId: 0 })).to.include({ ok: true });
    harness.pass(10_000);
    expect(progressOf(harness)).to.match(/^drain done/);
  });

  it('M9: only so many slots move at once', () => {
    const harness = new ManagerHarness({ settings: { slotCount: 120 } });
    let most = 0;
    harness.onMap = (map) => {
      most = Math.max(most, map.slots.filter(({ learners }) => learners.length > 0).length);
    };
    harness.ask({ command: 'drain', nodeId: 0 });
    harness.pass(10_000);
    expect(most).to.be.within(1, 16);
  });

  it('M9: the copy limit is in the map while the task runs', () => {
    const harness = new ManagerHarness();
    const limits = new Set<number>();
    harness.onMap = ({ settings }) => limits.add(settings.copyBytesPerSecondMax);
    harness.ask({ command: 'drain', nodeId: 0, mbPerSecond: 6 });
    harness.pass(10_000);
    // Three nodes take what the fourth held.
    expect([...limits]).to.deep.equal([2e6, 0]);
    expect(harness.core.settings.copyBytesPerSecondMax).to.equal(0);
  });

  it('M9: the number of replicas is that of the map at once, and of every slot in the end', () => {
    const harness = new ManagerHarness({ settings: { slotCount: 60 } });
    harness.ask({ command: 'set-replicas', replicas: 3 });
    expect(harness.core.map?.settings.replicas).to.equal(3);
    harness.pass(10_000);
    expect(new Set(harness.slots.map((slot) => slot.length))).to.deep.equal(new Set([3]));
    harness.ask({ command: 'set-replicas', replicas: 1 });
    harness.pass(10_000);
    expect(new Set(harness.slots.map((slot) => slot.length))).to.deep.equal(new Set([1]));
    expect(progressOf(harness)).to.equal('set-replicas done 60/60');
  });

  for (const replicas of [1, 2, 3]) {
    it(`M9: with ${replicas} replicas, a rolling restart leaves each slot all but one, and at least one`, () => {
      const harness = new ManagerHarness({ settings: { replicas } });
      const pids = harness.nodes.map(({ pid }) => pid);
      harness.onMap = (map) => {
        for (const slot of map.slots) expect(slot.replicas.length).to.be.at.least(Math.max(1, replicas - 1));
      };
      harness.ask({ command: 'restart-rolling' });
      harness.pass(10_000);
      expect(progressOf(harness)).to.equal('restart-rolling done 4/4');
      expect(harness.spawned).to.deep.equal([0, 1, 2, 3, 0, 1, 2, 3]);
      expect(harness.nodes.filter(({ pid }) => pids.includes(pid))).to.deep.equal([]);
    });
  }

  it('M9: by load, the primary of a busy slot goes to another replica of it, without any copy', () => {
    const harness = new ManagerHarness();
    const report = (reads: number): void => {
      const { nodeId, incarnation } = harness.node(0);
      const loads = [0, 4].map((slot) => ({ slot, keys: 1, bytes: 10, reads, writes: 0 }));
      harness.deliver(harness.node(0), { type: MessageType.slotLoads, nodeId, incarnation, loads });
      harness.run();
    };
    for (let i = 0; i < 5; i++) {
      report(1000);
      harness.pass(1000);
    }
    expect(harness.slots[0]).to.deep.equal([0, 1]);
    expect(harness.slots[4]).to.deep.equal([0, 1]);
    const result = harness.ask({ command: 'rebalance', by: 'load' });
    harness.pass(1000);
    expect(result).to.deep.include({ ok: true, moves: [] });
    expect([harness.slots[0]?.[0], harness.slots[4]?.[0]]).to.have.members([0, 1]);
  });
});

describe('hosts of nodes', () => {
  it('without labels a new cluster has slot s on nodes s mod N and its successors', () => {
    const harness = new ManagerHarness({ nodes: 4, settings: { replicas: 3, slotCount: 4 } });
    expect(harness.slots).to.deep.equal([
      [0, 1, 2],
      [1, 2, 3],
      [2, 3, 0],
      [3, 0, 1],
    ]);
  });

  it('with one label for all of them, too', () => {
    const harness = new ManagerHarness({ nodes: 3, settings: { slotCount: 3 }, labelOf: () => 'here' });
    expect(harness.slots).to.deep.equal([
      [0, 1],
      [1, 2],
      [2, 0],
    ]);
  });

  const labelOf = (id: number): string => ['a', 'a', 'b', 'b', 'c'][id] ?? '';
  const shared = (slots: readonly (readonly number[])[]): number =>
    slots.filter((slot) => new Set(slot.map(labelOf)).size < slot.length).length;

  it('M9: a new cluster has no two replicas of a slot on one host', () => {
    const harness = new ManagerHarness({ labelOf });
    expect(shared(harness.slots)).to.equal(0);
    const counts = [0, 1, 2, 3].map((id) => count(harness.slots, id));
    expect(Math.max(...counts) - Math.min(...counts)).to.be.at.most(1);
  });

  it('M9: nor has it when substitutes have taken over, and when a node is drained', () => {
    const harness = new ManagerHarness({ labelOf, nodes: 5, respawn: false });
    harness.end(harness.node(0));
    harness.pass(5000);
    expect(count(harness.slots, 0)).to.equal(0);
    expect(harness.slots.every((slot) => slot.length === 2)).to.equal(true);
    expect(shared(harness.slots)).to.equal(0);
    harness.ask({ command: 'drain', nodeId: 4 });
    harness.pass(2000);
    expect(progressOf(harness)).to.match(/^drain done/);
    expect(shared(harness.slots)).to.equal(0);
  });
});
