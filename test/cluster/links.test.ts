// Links cut one way, both ways, or left half-open, between client and node, node and node, node and manager.
//
// All nodes that hold data sit behind proxies (cluster-outsiders.ts). While a link is cut, clients go on with all
// kinds of operations on a few keys, and their histories are judged when it has healed.
import { expect } from 'chai';
import type { GTStoreClient } from '../../src/client/index.js';
import { Prng } from '../sim/prng.js';
import { incarnations, mapOf, nodeOf, untilStatus, useCluster } from '../support/cluster-fixture.js';
import { HotKeys } from '../support/cluster-history.js';
import type { HistoryCounts } from '../support/cluster-history.js';
import { codeOf } from '../support/cluster-load.js';
import { Outsiders } from '../support/cluster-outsiders.js';
import type { Direction } from '../support/cluster-proxy.js';
import { RawNode } from '../support/cluster-raw.js';
import { eventually } from '../support/cluster-until.js';

const leaseMs = 1500;
const victimAddress = '127.0.0.51';
/** With the default lists of homes all slots live on the first three outsiders, the first being primary of all. */
const [primary, second, third, spare] = [3, 4, 5, 6];

(process.platform === 'linux' ? describe : describe.skip)('links that are cut', function () {
  this.timeout(60_000);
  const fixture = useCluster({ nodes: 3, replicas: 3, respawn: false, leaseMs });
  let outsiders: Outsiders;
  let run = 0;

  before(async () => {
    outsiders = await Outsiders.takeOver(fixture.cluster, 4);
  });
  afterEach(async () => {
    outsiders.heal();
    await outsiders.untilHealthy();
  });
  after(async () => {
    await outsiders.stop();
  });

  /** Runs `act` under all kinds of operations of several clients; what they were told must make sense. */
  async function underLoad(act: (store: GTStoreClient) => Promise<void>): Promise<HistoryCounts> {
    run++;
    const hot = new HotKeys(
      [1, 2, 3].map((n) => `hot-${run}-${n}`),
      new Prng(run),
    );
    const store = await fixture.open();
    const stores = [store, await fixture.open({ readFrom: 'any' }), await fixture.open()];
    stores.forEach((each, i) => {
      hot.start(`client ${i}`, each, 10);
    });
    await act(store);
    outsiders.heal();
    await outsiders.untilHealthy();
    return hot.stop(store);
  }

  /** Waits for operations that work all along: without these clients being held up. */
  async function goesOn(store: GTStoreClient, count: number): Promise<void> {
    for (let n = 0; n < count; n++) await store.increment(`goes-on-${run}`);
  }

  it('R1, M2: a client cut off from a primary reads elsewhere, and its reports evict nobody', async () => {
    const before = await fixture.cluster.status();
    const victim = await fixture.open({ localAddress: victimAddress });
    await victim.put('cut-off', 1);
    await underLoad(async (store) => {
      outsiders.node(primary).proxy.break(victimAddress);
      for (let n = 0; n < 20; n++) expect(await victim.get('cut-off')).to.equal(1);
      const write = victim.put('cut-off', 2, { timeoutMs: 1000 });
      expect(await codeOf(write)).to.be.oneOf(['TIMEOUT', 'UNAVAILABLE', 'OUTCOME_UNKNOWN']);
      await goesOn(store, 10);
      expect(await store.get('cut-off')).to.be.oneOf([1, 2]);
      outsiders.heal();
      await victim.put('cut-off', 3);
      expect(await store.get('cut-off')).to.equal(3);
    });
    const after = await fixture.cluster.status();
    expect(incarnations(after)).to.equal(incarnations(before));
    expect(after.epoch).to.equal(before.epoch);
  });

  const halfOpen: readonly (readonly Direction[])[] = [['there'], ['back'], ['there', 'back']];
  for (const directions of halfOpen) {
    const name = directions.join(' and ');
    it(`R1, W8: a client whose link to a primary is silent (${name}) is late, never wrong`, async () => {
      const before = await fixture.cluster.status();
      const victim = await fixture.open({ localAddress: victimAddress });
      const key = `half-open-${name}`;
      await victim.put(key, 1);
      await underLoad(async (store) => {
        outsiders.node(primary).proxy.stall(directions, victimAddress);
        expect(await victim.get(key)).to.equal(1);
        const code = await codeOf(victim.put(key, 2, { timeoutMs: 1000 }));
        expect(code).to.equal('OUTCOME_UNKNOWN');
        const values = [await store.get(key), await store.get(key)];
        expect(values).to.deep.equal([values[0], values[0]]);
        await store.put(key, 3);
        outsiders.heal();
        // The write that was held back for so long is older: it may arrive, and must not show.
        for (let n = 0; n < 20; n++) expect(await store.get(key)).to.equal(3);
        await victim.put(key, 4);
        expect(await store.get(key)).to.equal(4);
      });
      expect(incarnations(await fixture.cluster.status())).to.equal(incarnations(before));
    });
  }

  it('a client gives up a connection that stays silent, and is back when it heals', async () => {
    const victim = await fixture.open({ localAddress: victimAddress });
    const told: string[] = [];
    victim.on('node-down', (id) => told.push(`down ${id}`));
    victim.on('node-up', (id) => told.push(`up ${id}`));
    outsiders.node(second).proxy.stall(['there', 'back'], victimAddress);
    await eventually('it is told', () => told.includes(`down ${second}`), 6000);
    expect(await codeOf(victim.put('silent', 1, { timeoutMs: 300 }))).to.be.oneOf(['TIMEOUT', 'UNAVAILABLE']);
    outsiders.heal();
    await victim.put('silent', 2);
    expect(told).to.deep.equal([`down ${second}`, `up ${second}`]);
  });

  for (const [manner, cut] of [
    ['are cut off from each other', (from: string, to: Outsiders['nodes'][number]) => to.proxy.break(from)],
    [
      'hear each other, but only one is heard',
      (from: string, to: Outsiders['nodes'][number]) => {
        if (to.id === second) to.proxy.stall(['there'], from);
      },
    ],
  ] as const) {
    it(`RMW4, M2: two nodes that ${manner} hold up conditional writes, nothing else, and neither is evicted`, async () => {
      const before = await fixture.cluster.status();
      const key = `parted-${run}`;
      await underLoad(async (store) => {
        const [one, other] = [outsiders.node(primary), outsiders.node(second)];
        cut(one.host, other);
        cut(other.host, one);
        await store.put(key, 1);
        expect(await store.get(key)).to.equal(1);
        const increment = store.increment(key, 1, { timeoutMs: 1000 });
        expect(await codeOf(increment)).to.be.oneOf(['TIMEOUT', 'OUTCOME_UNKNOWN']);
        await store.put(key, 2);
        outsiders.heal();
        expect(await store.increment(key)).to.equal(3);
      });
      expect(incarnations(await fixture.cluster.status())).to.equal(incarnations(before));
    });
  }

  for (const [manner, cut] of [
    ['are reset', (from: string, to: Outsiders['nodes'][number]) => to.proxy.break(from)],
    [
      'fall silent',
      (from: string, to: Outsiders['nodes'][number]) => to.proxy.stall(['there', 'back'], from),
    ],
  ] as const) {
    it(`M2, M4: a node whose links to all its fellows ${manner} is taken off its slots, and comes back`, async () => {
      await underLoad(async (store) => {
        const lonely = outsiders.node(primary);
        for (const fellow of outsiders.nodes.filter((each) => each !== lonely)) {
          cut(fellow.host, lonely);
          cut(lonely.host, fellow);
        }
        await eventually('others hold its slots', () =>
          mapOf(store).slots.every(({ replicas }) => !replicas.includes(primary) && replicas.length === 3),
        );
        await goesOn(store, 10);
        expect(mapOf(store).slots[0]?.replicas).to.include.members([second, third, spare]);
        outsiders.heal();
        await eventually('it has its slots again', () =>
          mapOf(store).slots.every(({ replicas }) => replicas[0] === primary && !replicas.includes(spare)),
        );
      });
    });
  }

  for (const [manner, cut] of [
    ['is reset', (from: string) => outsiders.managerProxy.break(from)],
    ['is silent towards the manager', (from: string) => outsiders.managerProxy.stall(['there'], from)],
    ['is silent towards the node', (from: string) => outsiders.managerProxy.stall(['back'], from)],
    ['is silent both ways', (from: string) => outsiders.managerProxy.stall(['there', 'back'], from)],
  ] as const) {
    it(`M1, M3: a node whose link to the manager ${manner} loses its slots, and joins anew`, async () => {
      const before = await fixture.cluster.status();
      await underLoad(async (store) => {
        const lonely = outsiders.node(primary);
        const raw = await RawNode.open({ host: lonely.host, port: lonely.proxy.port });
        const key = `cut-off-${run}`;
        await store.put(key, 'old');
        expect(await raw.get(key)).to.include({ served: true, value: 'old' });
        cut(lonely.host);
        await eventually('others hold its slots', () =>
          mapOf(store).slots.every(({ replicas }) => !replicas.includes(primary) && replicas.length === 3),
        );
        await goesOn(store, 10);
        await store.put(key, 'new');
        // It still believes to have the slot: nobody has told it otherwise. Only its lease tells it to be silent.
        expect(await raw.get(key)).to.include({ served: false });
        outsiders.heal();
        await untilStatus(
          fixture.cluster,
          'it has joined anew',
          (status) =>
            nodeOf(status, primary).state === 'up' &&
            nodeOf(status, primary).incarnation > nodeOf(before, primary).incarnation,
        );
        await eventually('it serves the new value', async () => {
          const { served, value } = await raw.get(key);
          if (served) expect(value).to.equal('new');
          return served;
        });
        raw.close();
      });
    });
  }
});
