import { expect } from 'chai';
import fc from 'fast-check';
import { rebalanced, withoutNode, withReplicas } from '../../src/manager/core/balance.js';
import type { BalanceInput } from '../../src/manager/core/balance.js';

const alone = (): string => '';

/** Homes: slot s on nodes s mod N and its successors. */
function homes(slotCount: number, nodeCount: number, replicas: number): number[][] {
  return Array.from({ length: slotCount }, (_, slot) =>
    Array.from({ length: replicas }, (_, i) => (slot + i) % nodeCount),
  );
}

function range(count: number): number[] {
  return [...Array(count).keys()];
}

function countOf(ids: readonly number[], id: number): number {
  return ids.filter((other) => other === id).length;
}

function spread(ids: readonly number[], nodes: readonly number[]): number {
  const counts = nodes.map((id) => countOf(ids, id));
  return Math.max(...counts) - Math.min(...counts);
}

/** How many replicas are where they were not before. */
function moved(before: readonly (readonly number[])[], after: readonly (readonly number[])[]): number {
  return after.reduce((sum, ids, slot) => sum + ids.filter((id) => !before[slot]?.includes(id)).length, 0);
}

function primaries(targets: readonly (readonly number[])[]): number[] {
  return targets.flatMap((target) => target.slice(0, 1));
}

function expectSound(targets: readonly (readonly number[])[], replicas: number): void {
  for (const target of targets) {
    expect(new Set(target).size, `distinct nodes in ${target.join(' ')}`).to.equal(target.length);
    expect(target.length).to.equal(replicas);
  }
}

const clusters = fc
  .record({ nodeCount: fc.integer({ min: 2, max: 12 }), multiple: fc.integer({ min: 1, max: 24 }) })
  .chain(({ nodeCount, multiple }) =>
    fc.record({
      nodeCount: fc.constant(nodeCount),
      slotCount: fc.constant(nodeCount * multiple),
      replicas: fc.integer({ min: 1, max: Math.min(5, nodeCount) }),
      added: fc.integer({ min: 1, max: 4 }),
    }),
  );

describe('balance of slots among nodes', () => {
  it('M9: new nodes take their shares and no more; all nodes end within one slot of each other, primaries too', () => {
    fc.assert(
      fc.property(clusters, ({ nodeCount, slotCount, replicas, added }) => {
        const targets = homes(slotCount, nodeCount, replicas);
        const nodes = range(nodeCount + added);
        const after = rebalanced({ targets, nodes, replicas, labelOf: alone });
        expectSound(after, replicas);
        expect(spread(after.flat(), nodes), 'replicas').to.be.at.most(1);
        expect(spread(primaries(after), nodes), 'primaries').to.be.at.most(1);
        expect(moved(targets, after)).to.be.at.most(
          (slotCount * replicas * added) / nodes.length + nodes.length,
        );
      }),
    );
  });

  it('M9: from 7 to 8 nodes an eighth of all replicas moves, all of it to the new node', () => {
    const targets = homes(259, 7, 3);
    const after = rebalanced({ targets, nodes: range(8), replicas: 3, labelOf: alone });
    expect(moved(targets, after)).to.equal(Math.floor((259 * 3) / 8));
    expect(countOf(after.flat(), 7)).to.equal(97);
  });

  it('M9: what is balanced stays as it is', () => {
    fc.assert(
      fc.property(clusters, ({ nodeCount, slotCount, replicas, added }) => {
        const input: BalanceInput = {
          targets: homes(slotCount, nodeCount, replicas),
          nodes: range(nodeCount + added),
          replicas,
          labelOf: alone,
        };
        const once = rebalanced(input);
        expect(rebalanced(input)).to.deep.equal(once);
        expect(rebalanced({ ...input, targets: once })).to.deep.equal(once);
      }),
    );
  });

  it('M9: draining moves what the node held and nothing else, to nodes that end within one slot of each other', () => {
    fc.assert(
      fc.property(clusters, ({ nodeCount, slotCount, replicas }) => {
        fc.pre(replicas < nodeCount);
        const before = homes(slotCount, nodeCount, replicas);
        const leaving = nodeCount - 1;
        const nodes = range(nodeCount - 1);
        const after = withoutNode({ targets: before, nodes, replicas, labelOf: alone }, leaving);
        expectSound(after, replicas);
        expect(moved(before, after)).to.equal(countOf(before.flat(), leaving));
        before.forEach((target, slot) => {
          if (!target.includes(leaving)) expect(after[slot]).to.deep.equal(target);
        });
        expect(after.flat()).not.to.include(leaving);
        expect(spread(after.flat(), nodes)).to.be.at.most(1);
      }),
    );
  });

  it('M9: more replicas are added to what is there, fewer are taken from it; primaries stay', () => {
    fc.assert(
      fc.property(clusters, fc.integer({ min: 1, max: 5 }), ({ nodeCount, slotCount, replicas }, drawn) => {
        const wanted = Math.min(drawn, nodeCount);
        const before = homes(slotCount, nodeCount, replicas);
        const input = { targets: before, nodes: range(nodeCount), replicas: wanted, labelOf: alone };
        const after = withReplicas(input);
        expectSound(after, wanted);
        expect(primaries(after)).to.deep.equal(primaries(before));
        const [fewer, more] = wanted < replicas ? [after, before] : [before, after];
        fewer.forEach((target, slot) => expect(more[slot]).to.include.members(target));
        expect(spread(after.flat(), range(nodeCount))).to.be.at.most(1);
      }),
    );
  });

  it('M9: no two replicas of a slot are on hosts of one label, where there are enough of them', () => {
    fc.assert(
      fc.property(
        clusters,
        fc.integer({ min: 2, max: 6 }),
        ({ nodeCount, slotCount, replicas, added }, hosts) => {
          const labelOf = (id: number): string => `host-${id % hosts}`;
          const nodes = range(nodeCount + added);
          fc.pre(Math.min(hosts, nodes.length) > replicas);
          const targets = homes(slotCount, nodeCount, replicas);
          const isSpread = (target: readonly number[]): boolean =>
            new Set(target.map(labelOf)).size === target.length;
          const after = rebalanced({ targets, nodes, replicas, labelOf });
          expectSound(after, replicas);
          expect(after.filter((target) => !isSpread(target))).to.deep.equal([]);
          const without = withoutNode({ targets: after, nodes: nodes.slice(1), replicas, labelOf }, 0);
          const others = new Set(nodes.slice(1).map(labelOf));
          if (others.size >= replicas)
            expect(without.filter((target) => !isSpread(target))).to.deep.equal([]);
        },
      ),
    );
  });

  it('M9: by weight, no node carries much more than the mean where no single slot does', () => {
    const slotCount = 140;
    const weights = fc.array(fc.integer({ min: 1, max: 100 }), {
      minLength: slotCount,
      maxLength: slotCount,
    });
    fc.assert(
      fc.property(weights, weights, (replicaWeights, primaryWeights) => {
        const nodes = range(8);
        const input = { targets: homes(slotCount, 7, 3), nodes, replicas: 3, labelOf: alone };
        const after = rebalanced({ ...input, replicaWeights, primaryWeights });
        expectSound(after, 3);
        const loads = nodes.map((id) =>
          after.reduce(
            (sum, target, slot) => sum + (target.includes(id) ? (replicaWeights[slot] ?? 0) : 0),
            0,
          ),
        );
        const mean = loads.reduce((a, b) => a + b, 0) / nodes.length;
        expect(Math.max(...loads)).to.be.at.most(mean * 1.06);
      }),
      { numRuns: 20 },
    );
  });

  it('M9: by weight, many nodes are planned for in far less time than nodes and clients give the manager', () => {
    const [nodeCount, slotCount] = [100, 300];
    const random = fc.sample(fc.integer({ min: 1, max: 100 }), { numRuns: slotCount, seed: 1 });
    // A few slots are heavy, most are light: that of the most loaded node can go nowhere.
    const skewed = random.map((_, slot) => 1000 / (1 + ((slot * 7919) % slotCount)));
    for (const weights of [random, skewed]) {
      const begunAtMs = performance.now();
      const after = rebalanced({
        targets: homes(slotCount, nodeCount, 3),
        nodes: range(nodeCount + 1),
        replicas: 3,
        labelOf: alone,
        replicaWeights: weights,
        primaryWeights: weights,
      });
      expect(performance.now() - begunAtMs).to.be.lessThan(1500);
      expectSound(after, 3);
    }
  });
});
