// What the workloads are, by the definitions of YCSB, and the names of the keys they work on.
import { expect } from 'chai';
import { Buffer } from 'node:buffer';
import { KeyList } from '../../src/load/key-list.js';
import { KeyNames, keyBytesMin } from '../../src/load/key-names.js';
import type { LoadPlan } from '../../src/load/plan.js';
import { Random } from '../../src/load/random.js';
import {
  KindChooser,
  type Mix,
  caveatOf,
  getPutWorkload,
  kinds,
  workloadNamed,
  ycsbWorkloads,
} from '../../src/load/workloads.js';
import { loadPlan } from '../support/load-plan.js';

describe('load: workloads', () => {
  const definitions: [name: string, mix: Mix, distribution: string][] = [
    ['a', { get: 0.5, put: 0.5 }, 'zipfian'],
    ['b', { get: 0.95, put: 0.05 }, 'zipfian'],
    ['c', { get: 1 }, 'zipfian'],
    ['d', { get: 0.95, insert: 0.05 }, 'latest'],
    ['e', { getMany: 0.95, insert: 0.05 }, 'zipfian'],
    ['f', { get: 0.5, update: 0.5 }, 'zipfian'],
  ];
  for (const [name, mix, distribution] of definitions) {
    it(`YCSB ${name.toUpperCase()} is what its authors say, by any of its names`, () => {
      const workload = workloadNamed(name);
      expect(workload).to.deep.equal({ name: `ycsb-${name}`, mix, distribution });
      for (const other of [name.toUpperCase(), `ycsb-${name}`, `YCSB-${name.toUpperCase()}`]) {
        expect(workloadNamed(other)).to.equal(workload);
      }
    });
  }

  it('there are no others', () => {
    expect(ycsbWorkloads).to.have.length(6);
    for (const name of ['', 'g', 'ycsb', 'ycsb-', 'ycsb-aa', 'ycsb-ycsb-a']) {
      expect(workloadNamed(name), name).to.equal(undefined);
    }
  });

  it('kinds come in the shares of the mix', () => {
    for (const { name, mix } of [...ycsbWorkloads, getPutWorkload(0.3, 'uniform')]) {
      const chooser = new KindChooser(mix, new Random(2));
      const counts = kinds.map(() => 0);
      for (let draw = 0; draw < 100_000; draw++) counts[chooser.next()]!++;
      for (const [index, kind] of kinds.entries()) {
        const share = mix[kind] ?? 0;
        if (share === 0) expect(counts[index], `${name} ${kind}`).to.equal(0);
        else expect(counts[index]! / 100_000, `${name} ${kind}`).to.be.closeTo(share, 0.008);
      }
    }
  });

  it('a ratio of 0 is puts only, of 1 gets only', () => {
    expect(getPutWorkload(0, 'uniform').mix).to.deep.equal({ put: 1 });
    expect(getPutWorkload(1, 'uniform').mix).to.deep.equal({ get: 1 });
  });

  it('only the one with scans has something to explain', () => {
    expect(ycsbWorkloads.filter((workload) => caveatOf(workload) !== undefined)).to.deep.equal([
      workloadNamed('e'),
    ]);
  });
});

describe('load: names of keys', () => {
  for (const [prefix, keyBytes] of [
    ['bench:', 20],
    ['bench:', 9],
    ['Prüf:', 24],
    ['b', 250],
  ] as const) {
    it(`${keyBytes} bytes behind '${prefix}': all different, all of that length`, () => {
      const names = new KeyNames(prefix, keyBytes);
      const count = Math.min(20_000, names.capacity);
      const all = new Set(Array.from({ length: count }, (_, index) => names.name(index)));
      expect(all.size).to.equal(count);
      for (const name of all) {
        expect(name.startsWith(prefix)).to.be.true;
        expect(Buffer.byteLength(name)).to.equal(keyBytes);
      }
    });
  }

  it('the shortest possible length has room for all keys, and one byte less has not', () => {
    for (const count of [1, 36, 37, 10_000, 10_000_000]) {
      const least = keyBytesMin('bench:', count);
      expect(new KeyNames('bench:', least).capacity).to.be.at.least(count);
      if (least > 7) expect(new KeyNames('bench:', least - 1).capacity).to.be.below(count);
    }
    expect(new KeyNames('bench:', 6).capacity).to.equal(0);
  });

  it('the sums of their bytes spread over the slots', () => {
    const names = new KeyNames('bench:', 20);
    const counts = Array.from({ length: 7 }, () => 0);
    for (let index = 0; index < 10_000; index++) {
      counts[[...Buffer.from(names.name(index))].reduce((sum, byte) => sum + byte, 0) % 7]!++;
    }
    for (const count of counts) expect(count).to.be.within(1250, 1610);
  });
});

describe('load: keys of several processes', () => {
  const plan: LoadPlan = loadPlan({ keys: 10, processes: 3, clients: 3 });
  const lists = [0, 1, 2].map((process) => new KeyList(plan, process));
  const own = (list: KeyList): string[] =>
    Array.from({ length: list.ownShared }, (_, index) => list.ownSharedName(index));

  it('each fills in its part of the shared ones: together all, none twice', () => {
    expect(lists.map((list) => list.ownShared)).to.deep.equal([4, 3, 3]);
    expect(lists.flatMap(own).sort()).to.deep.equal([...lists[0]!.names].sort());
  });

  it('inserts of one are nobody else’s, and are known afterwards', () => {
    const inserted = lists.map((list) => Array.from({ length: 5 }, () => list.nextNew()));
    const all = [...lists.flatMap(own), ...inserted.flat()];
    expect(new Set(all).size).to.equal(25);
    for (const [process, list] of lists.entries()) {
      expect(list.inserted).to.equal(5);
      expect([0, 1, 2, 3, 4].map((index) => list.insertedName(index))).to.deep.equal(inserted[process]);
    }
  });

  it('when the names have run out, inserts begin again', () => {
    const list = new KeyList(loadPlan({ keys: 30, prefix: 'b', keyBytes: 2 }), 0);
    const names = Array.from({ length: 20 }, () => list.nextNew());
    expect(new Set(names).size).to.equal(6);
    expect(list.inserted).to.equal(6);
  });
});
