// Tasks that end otherwise than done: cancelled, or for want of a node that stays away.
import { expect } from 'chai';
import { ManagerHarness } from '../support/manager-harness.js';
import { count, errorOf, progressOf } from '../support/task-words.js';

describe('tasks that do not go on', () => {
  const noteOf = (harness: ManagerHarness): string | undefined => {
    const result = harness.ask({ command: 'progress' });
    return result?.ok === true ? result.task?.note : undefined;
  };

  it('M9: of a task that is cancelled, what was moved stays moved and the rest is left; another may begin', () => {
    const harness = new ManagerHarness({ settings: { slotCount: 120 } });
    harness.node(2).isSlow = true;
    harness.ask({ command: 'drain', nodeId: 0, mbPerSecond: 6 });
    harness.pass(600);
    const [, done = 0] = /running (\d+)/.exec(progressOf(harness)) ?? [];
    expect(Number(done)).to.be.above(0);
    expect(harness.ask({ command: 'cancel' })).to.include({ ok: true });
    harness.restartManager();
    harness.node(2).isSlow = false;
    harness.node(2).copy();
    harness.pass(3000);
    expect(progressOf(harness)).to.match(/^drain cancelled \d+\/60$/);
    // Those under way got where they went.
    expect(count(harness.slots, 0)).to.be.within(60 - Number(done) - 16, 60 - Number(done));
    expect(harness.core.status().nodes[0]?.state).to.equal('up');
    expect(harness.core.settings.copyBytesPerSecondMax).to.equal(0);
    expect(harness.core.isSettled).to.equal(true);
    harness.ask({ command: 'drain', nodeId: 0 });
    harness.pass(10_000);
    expect(progressOf(harness)).to.match(/^drain done/);
  });

  it('M9: a drain ends though the node that was to have its slots has gone, and all others are on one host', () => {
    // One slot, on nodes 0 and 1; whoever does not take the place of node 1 is its last node on another host than node 0.
    const labelOf = (id: number): string => (id === 1 || id === 3 ? 'b' : 'a');
    const settings = { slotCount: 1, replicas: 2 };
    const harness = new ManagerHarness({ nodes: 4, settings, labelOf, respawn: false });
    expect(harness.slots).to.deep.equal([[0, 1]]);
    harness.node(3).isSlow = true;
    harness.ask({ command: 'drain', nodeId: 1 });
    harness.pass(100);
    harness.end(harness.node(3));
    harness.pass(10_000);
    expect(harness.slots).to.deep.equal([[0, 2]]);
    expect(progressOf(harness)).to.match(/^drain done/);
  });

  it('M9: a drain waits for the node that is to have its slots while that may come back, if all others are on one host', () => {
    const labelOf = (id: number): string => (id === 1 || id === 3 ? 'b' : 'a');
    const harness = new ManagerHarness({ nodes: 4, settings: { slotCount: 1, replicas: 2 }, labelOf });
    harness.node(3).isSlow = true;
    harness.ask({ command: 'drain', nodeId: 1 });
    harness.pass(100);
    harness.lost.add(3);
    harness.end(harness.node(3));
    harness.pass(30_000);
    expect(harness.slots).to.deep.equal([[0, 1]]);
    harness.find(3);
    harness.pass(10_000);
    expect(harness.slots).to.deep.equal([[0, 3]]);
    expect(progressOf(harness)).to.match(/^drain done/);
  });

  it('M9: the end of a drain is saved though no map follows: the node was off its slots before', () => {
    const harness = new ManagerHarness({ respawn: false });
    harness.end(harness.node(3));
    harness.pass(20_000);
    expect(count(harness.slots, 3)).to.equal(0);
    harness.ask({ command: 'drain', nodeId: 3 });
    harness.pass(1000);
    expect(progressOf(harness)).to.match(/^drain done/);
    harness.restartManager();
    expect(progressOf(harness)).to.match(/^drain done/);
    harness.find(3);
    harness.pass(1000);
    expect(harness.core.status().nodes.map(({ id }) => id)).not.to.include(3);
  });

  it('M9: a rolling restart that is cancelled leaves the others alone', () => {
    const harness = new ManagerHarness();
    harness.lost.add(0);
    harness.ask({ command: 'restart-rolling' });
    harness.pass(1000);
    expect(harness.ask({ command: 'cancel' })).to.include({ ok: true });
    harness.find(0);
    harness.pass(5000);
    expect(harness.spawned).to.deep.equal([0, 1, 2, 3, 0]);
    expect(progressOf(harness)).to.equal('restart-rolling cancelled 0/4');
    expect(harness.slots.every((slot) => slot.length === 2)).to.equal(true);
  });

  it('M9: nothing to cancel is said so; replicas are turned round instead', () => {
    const harness = new ManagerHarness({ settings: { slotCount: 60 } });
    expect(errorOf(harness.ask({ command: 'cancel' }))).to.equal('no task is under way');
    harness.node(2).isSlow = true;
    harness.ask({ command: 'set-replicas', replicas: 3, mbPerSecond: 3 });
    harness.pass(100);
    expect(errorOf(harness.ask({ command: 'cancel' }))).to.match(/all must have the same.*turns round/);
    expect(harness.ask({ command: 'set-replicas', replicas: 2 })).to.include({ ok: true });
    harness.node(2).isSlow = false;
    harness.node(2).copy();
    harness.pass(1000);
    expect(progressOf(harness)).to.match(/^set-replicas done/);
    expect(new Set(harness.slots.map((slot) => slot.length))).to.deep.equal(new Set([2]));
    expect(harness.core.settings).to.include({ replicas: 2, copyBytesPerSecondMax: 0 });
  });

  it('M9: a rolling restart gives up on a node that does not come back, says which and how to go on', () => {
    const harness = new ManagerHarness();
    harness.lost.add(1);
    harness.ask({ command: 'restart-rolling' });
    harness.pass(590_000);
    expect(progressOf(harness)).to.equal('restart-rolling running 1/4');
    harness.pass(30_000);
    expect(progressOf(harness)).to.equal('restart-rolling failed 1/4');
    expect(noteOf(harness)).to.match(
      /^node 1 has been away for 600 s; not restarted: 1 2 3\. See in the log what keeps node 1, then restart again$/,
    );
    harness.restartManager();
    expect(progressOf(harness)).to.equal('restart-rolling failed 1/4');
    harness.lost.clear();
    harness.find(1);
    harness.pass(1000);
    harness.ask({ command: 'restart-rolling' });
    harness.pass(10_000);
    expect(progressOf(harness)).to.equal('restart-rolling done 4/4');
  }).timeout(20_000);

  it('M9: what goes to a node that was added waits until it is up', () => {
    const harness = new ManagerHarness();
    harness.lost.add(4);
    harness.ask({ command: 'add-nodes', count: 1 });
    const before = harness.slots;
    harness.ask({ command: 'rebalance', by: 'slots' });
    harness.pass(60_000);
    expect(progressOf(harness)).to.match(/^rebalance running 0\//);
    expect(harness.slots).to.deep.equal(before);
    harness.find(4);
    harness.pass(1000);
    expect(progressOf(harness)).to.match(/^rebalance done/);
    expect(noteOf(harness)).to.equal(undefined);
    expect(count(harness.slots, 4)).to.be.within(4, 5);
  });

  it('M9: but not for ever; it gets its part when it comes up after all', () => {
    const harness = new ManagerHarness();
    harness.lost.add(4);
    harness.ask({ command: 'add-nodes', count: 1 });
    harness.ask({ command: 'rebalance', by: 'slots' });
    harness.pass(620_000);
    expect(progressOf(harness)).to.match(/^rebalance done/);
    expect(noteOf(harness)).to.match(/^node 4 has not come up in 600 s: others have its part until it does$/);
    harness.find(4);
    harness.pass(5000);
    expect(count(harness.slots, 4)).to.be.within(4, 5);
  }).timeout(20_000);

  it('M4: a fence whose node has gone silent with all others of its slot does not hold everything up', () => {
    const harness = new ManagerHarness({ settings: { slotCount: 1 }, respawn: false });
    harness.node(1).isDeaf = true;
    harness.ask({ command: 'drain', nodeId: 1 });
    harness.pass(2000);
    expect(harness.slots).to.deep.equal([[0, 2, 1]]);
    harness.node(3).isSlow = true;
    for (const id of [0, 1, 2]) harness.cut(harness.node(id));
    harness.pass(5000);
    expect(harness.slots).to.deep.equal([[0, 2, 1]]);
    expect(harness.core.map?.slot(0).learners).to.deep.equal([3]);
  });

  it('M9: a node that was added later has its places kept, too, while it is away for a moment', () => {
    const harness = new ManagerHarness({ settings: { slotCount: 40 } });
    harness.ask({ command: 'add-nodes', count: 1 });
    harness.pass(200);
    harness.ask({ command: 'rebalance', by: 'slots' });
    harness.pass(20_000);
    expect(progressOf(harness)).to.match(/^rebalance done/);
    const before = count(harness.slots, 4);
    expect(before).to.be.greaterThan(10);
    const substitutes = new Set<number>();
    harness.onMap = ({ slots }) => {
      for (const { learners } of slots) for (const id of learners) substitutes.add(id);
    };
    harness.lost.add(4);
    harness.end(harness.node(4));
    harness.pass(500);
    expect([...substitutes]).to.deep.equal([]);
    harness.find(4);
    harness.pass(1000);
    expect(count(harness.slots, 4)).to.equal(before);
  });

  /** Its disk hangs for so long, as it says itself. */
  function hang(harness: ManagerHarness, id: number, forMs: number): void {
    for (let passedMs = 0; passedMs < forMs; passedMs += 200) {
      const node = harness.nodes.find(({ nodeId }) => nodeId === id);
      node?.report(node);
      harness.run();
      harness.pass(200);
    }
  }

  for (const [nodes, replicas] of [
    [3, 3],
    [2, 1],
  ] as const) {
    it(`M9: a rolling restart of ${nodes} nodes that need one whose disk hangs for good fails, and names it; K = ${replicas}`, () => {
      const harness = new ManagerHarness({ nodes, settings: { replicas } });
      harness.pass(1000);
      const hung = nodes - 1;
      hang(harness, hung, 3000);
      harness.ask({ command: 'restart-rolling' });
      hang(harness, hung, 590_000);
      expect(progressOf(harness)).to.equal(`restart-rolling running 0/${nodes}`);
      hang(harness, hung, 20_000);
      expect(progressOf(harness)).to.equal(`restart-rolling failed 0/${nodes}`);
      expect(noteOf(harness)).to.match(
        new RegExp(`^node ${hung} has been off its slots for 600 s; not restarted: 0 1`),
      );
    }).timeout(60_000);
  }

  it('M9: a rolling restart goes on beside a node whose disk hangs, where others can take its slots', () => {
    const harness = new ManagerHarness({ nodes: 4, settings: { replicas: 3 } });
    harness.pass(1000);
    hang(harness, 3, 3000);
    harness.ask({ command: 'restart-rolling' });
    hang(harness, 3, 60_000);
    expect(progressOf(harness)).to.equal('restart-rolling done 4/4');
  });

  it('M9: a drain that cannot end without a node that is missing says so, and ends when that is back', () => {
    const harness = new ManagerHarness({ settings: { replicas: 3 } });
    harness.pass(1000);
    harness.lost.add(2);
    harness.end(harness.node(2));
    harness.pass(5000);
    harness.ask({ command: 'drain', nodeId: 3 });
    harness.pass(580_000);
    expect([progressOf(harness), noteOf(harness)]).to.deep.equal(['drain running 9/9', undefined]);
    harness.pass(30_000);
    expect(noteOf(harness)).to.equal(
      'node 2 has been missing for 600 s: 12 slots cannot leave node 3, or have no replica, until it serves again',
    );
    expect(harness.logged.filter((line) => line.includes('drain: node 2 has been missing'))).to.have.length(
      1,
    );
    harness.find(2);
    harness.pass(10_000);
    expect([progressOf(harness), noteOf(harness)]).to.deep.equal(['drain done 9/9', undefined]);
  });

  it('M9: a change of replicas does what it can beside slots that wait for a lost disk, says what they wait for, and ends when that is back', () => {
    const settings = { replicas: 1, slotCount: 120, durability: 'always' } as const;
    const harness = new ManagerHarness({ nodes: 4, settings });
    harness.pass(1000);
    harness.lost.add(0);
    harness.end(harness.node(0));
    harness.pass(20_000);
    const waiting = harness.slots.filter((replicas) => replicas.length === 0).length;
    // More than may be under way at a time.
    expect(waiting).to.be.above(16);
    harness.ask({ command: 'set-replicas', replicas: 2 });
    harness.pass(120_000);
    const lacking = harness.slots.filter((replicas) => replicas.length === 1);
    expect(lacking, 'with one replica').to.deep.equal([]);
    expect(harness.slots.filter((replicas) => replicas.length === 2)).to.have.length(120 - waiting);
    expect(noteOf(harness)).to.equal(undefined);
    harness.pass(600_000);
    expect(noteOf(harness)).to.equal(
      `node 0 has been missing for 600 s: ${waiting} slots have no replica until it serves again`,
    );
    // It has them on its disk, since the cluster was created.
    const slots = harness.slots.map((_, slot) => [slot, 1] as const);
    harness.diskOf = () => ({ clusterId: 'c', slots, clockUs: 1_000_000 });
    harness.find(0);
    harness.pass(60_000);
    expect([progressOf(harness), noteOf(harness)]).to.deep.equal(['set-replicas done 120/120', undefined]);
    expect(harness.slots.filter((replicas) => replicas.length !== 2)).to.deep.equal([]);
  });
});
