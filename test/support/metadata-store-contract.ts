/**
 * What every `MetadataStore` must do, whatever it is made of. An implementation's test calls this with a way to make
 * instances that share what they keep, as two managers would, one after the other.
 */
import { expect } from 'chai';
import type { ManagerState } from '../../src/manager/core/state.js';
import type { MetadataStore } from '../../src/manager/metadata-store.js';
import { newSlot } from '../../src/protocol/cluster-map.js';
import { defaultSettings } from '../../src/protocol/settings.js';
import type { Durability } from '../../src/protocol/settings.js';

/** A state of a cluster of `nodes` nodes, told from others by its serial. */
export function stateOf(serial: number, nodes = 3, durability: Durability = 'none'): ManagerState {
  const ids = [...Array(nodes).keys()];
  const settings = { ...defaultSettings, durability, slotCount: nodes };
  const members = ids.map((id) => ({ id, incarnation: id + 1, host: '127.0.0.1', port: 10_000 + id }));
  const slots = ids.map((id) => newSlot([id, (id + 1) % nodes], serial));
  return {
    serial,
    clusterId: 'c1',
    settings,
    nodeCount: nodes,
    nextIncarnation: nodes + 1,
    knownNodes: ids.map((id) => ({ id, spawned: true, pid: 1000 + id })),
    map: { clusterId: 'c1', epoch: serial, settings, nodes: members, slots },
    fencing: false,
    awaited: [],
  };
}

/**
 * To be called within `describe`.
 * @param open another instance over what the former ones of this test keep
 * @param reset forgets all of that; called before each test
 */
export function itKeepsTheContract(open: () => MetadataStore, reset: () => Promise<void> | void): void {
  beforeEach(() => reset());

  it('has nothing before anything was saved', async () => {
    expect(await open().load()).to.equal(null);
  });

  it('gives back what was saved, as often as it is asked', async () => {
    const store = open();
    await store.save(stateOf(1));
    expect(await store.load()).to.deep.equal(stateOf(1));
    expect(await store.load()).to.deep.equal(stateOf(1));
  });

  it('keeps the last of several, also a smaller one, and one without a map', async () => {
    const store = open();
    const unborn = { ...stateOf(4), map: null, knownNodes: [] };
    for (const state of [stateOf(1, 50), stateOf(2), stateOf(3), unborn]) await store.save(state);
    expect(await store.load()).to.deep.equal(unborn);
  });

  it('has nothing after clear, may be cleared again, and used again', async () => {
    const store = open();
    await store.clear();
    await store.save(stateOf(1));
    await store.save(stateOf(2));
    await store.clear();
    await store.clear();
    expect(await store.load()).to.equal(null);
    await store.save(stateOf(3));
    expect(await store.load()).to.deep.equal(stateOf(3));
  });

  for (const durability of ['none', 'interval', 'always'] as const) {
    it(`M7: what was saved is there for the next manager, if it is to outlive this one; durability ${durability}`, async () => {
      const first = open();
      await first.save(stateOf(1, 3, durability));
      await first.save(stateOf(2, 3, durability));
      const second = open();
      const found = await second.load();
      expect(found).to.deep.equal(first.outlivesProcess ? stateOf(2, 3, durability) : null);
      await second.save(stateOf(3, 3, durability));
      await second.clear();
      expect(await open().load()).to.equal(null);
    });
  }

  it('takes the map of a cluster of a thousand nodes', async () => {
    const store = open();
    const large = stateOf(1, 1000);
    await store.save(large);
    expect(await store.load()).to.deep.equal(large);
  });

  it('shares no object with whoever saves or loads', async () => {
    const store = open();
    const mine = stateOf(1);
    await store.save(mine);
    Object.assign(mine, { nextIncarnation: 77 });
    Object.assign(mine.settings, { replicas: 77 });
    const found = await store.load();
    expect(found).to.deep.equal(stateOf(1));
    Object.assign(found ?? {}, { nextIncarnation: 78 });
    expect(await store.load()).to.deep.equal(stateOf(1));
  });
}
