// What the workloads are, by the definitions of YCSB, and the names of the keys they work on.
import { expect } from 'chai';
import { Buffer } from 'node:buffer';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { KeyList } from '../../src/load/key-list.js';
import { KeyNames, keyBytesMin } from '../../src/load/key-names.js';
import type { LoadPlan } from '../../src/load/plan.js';
import { checkFits } from '../../src/load/run-load.js';
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
import { defaultSettings } from '../../src/protocol/settings.js';
import { loadPlan } from '../support/load-plan.js';

/** Bytes that are still in use when the collector has been there. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  return process.memoryUsage().heapUsed;
}

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

  it('are what they always were: a run finds what an older one has kept', () => {
    const named = (prefix: string, keyBytes: number): string[] =>
      [0, 1, 123_456].map((index) => new KeyNames(prefix, keyBytes).name(index));
    expect([named('bench:', 20), named('Prüf:', 24)]).to.deep.equal([
      ['bench:000000yvp8q4v4', 'bench:b1ym10fj7ls56z', 'bench:o6pl3zndyvaxof'],
      ['Prüf:000000yvp8q4v4izhx', 'Prüf:b1ym10fj7ls56zbg2x', 'Prüf:o6pl3zndyvaxofrvct'],
    ]);
  });

  it('take the room of their bytes, not of each char', () => {
    const names = new KeyNames('bench:', 20);
    const before = heapUsed();
    const all = Array.from({ length: 100_000 }, (_, index) => names.name(index));
    expect((heapUsed() - before) / all.length).to.be.below(60);
  });

  it('are what they were in earlier versions, also of the largest numbers', () => {
    expect(new KeyNames('bench:', 20).name(9_999_999)).to.equal('bench:9a8zy1ccea2oll');
    const largest = new KeyNames('ü', 33).name(36 ** 6 - 1);
    expect(largest).to.equal('üpy1dyzd7gkgg49hahszcli9frxrtkgy');
  });

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
    const all = Array.from({ length: 10 }, (_, index) => lists[0]!.nameAt(index));
    expect(lists.flatMap(own).sort()).to.deep.equal(all.sort());
  });

  it('inserts of one are nobody else’s, and are known afterwards', () => {
    const inserted = lists.map((list) => Array.from({ length: 5 }, () => list.insertedName(list.nextNew())));
    const all = [...lists.flatMap(own), ...inserted.flat()];
    expect(new Set(all).size).to.equal(25);
    for (const [process, list] of lists.entries()) {
      expect(list.inserted).to.equal(5);
      expect([0, 1, 2, 3, 4].map((index) => list.insertedName(index))).to.deep.equal(inserted[process]);
    }
  });

  it('beyond those whose names are made beforehand they have names all the same', () => {
    const many = loadPlan({ keys: 1_000_010 });
    const list = new KeyList(many, 0);
    const names = new KeyNames(many.prefix, many.keyBytes);
    for (const index of [0, 999_999, 1_000_000, 1_000_009]) {
      expect(list.nameAt(index)).to.equal(names.name(index));
    }
  });
});

describe('load: inserted keys', () => {
  it('are seen when they are in the store, in order, however late one of them is', () => {
    const list = new KeyList(loadPlan({ keys: 10 }), 0);
    const [first, second, third] = [list.nextNew(), list.nextNew(), list.nextNew()];
    list.added(second);
    list.added(third);
    expect(list.length).to.equal(10);
    list.added(first);
    expect(list.length).to.equal(13);
    expect([10, 11, 12].map((index) => list.nameAt(index))).to.deep.equal(
      [first, second, third].map((count) => list.insertedName(count)),
    );
  });

  it('one that failed comes again, and is still deleted at the end', () => {
    const list = new KeyList(loadPlan({ keys: 10 }), 0);
    const lost = list.nextNew();
    list.failed(lost);
    expect(list.inserted).to.equal(1);
    expect(list.nextNew()).to.equal(lost);
    expect(list.nextNew()).not.to.equal(lost);
    list.added(lost);
    expect(list.length).to.equal(11);
  });

  it('when the names have run out, inserts begin again, and none is counted twice', () => {
    const list = new KeyList(loadPlan({ keys: 30, prefix: 'b', keyBytes: 2 }), 0);
    const names = new Set<string>();
    for (let insert = 0; insert < 20; insert++) {
      const count = list.nextNew();
      names.add(list.insertedName(count));
      list.added(count);
    }
    expect(names.size).to.equal(6);
    expect(list.inserted).to.equal(6);
    expect(list.length).to.equal(36);
    expect(new Set(Array.from({ length: 36 }, (_, index) => list.nameAt(index))).size).to.equal(36);
  });

  it('take no room that grows with them', () => {
    const list = new KeyList(loadPlan({ keys: 10 }), 0);
    const before = heapUsed();
    for (let insert = 0; insert < 1_000_000; insert++) list.added(list.nextNew());
    expect(heapUsed() - before).to.be.below(1_000_000);
    expect(list.length).to.equal(1_000_010);
  });
});

describe('load: does the plan fit the cluster?', () => {
  const fits = (changes: Partial<LoadPlan>): void => {
    checkFits(loadPlan(changes), { settings: { ...defaultSettings, slotCount: 4 } });
  };

  it('keys have names, and so has at least one that each process inserts', () => {
    const d = workloadNamed('d')!;
    fits({ keys: 36, keyBytes: 7 });
    expect(() => {
      fits({ keys: 36, keyBytes: 7, workload: d });
    }).to.throw(
      "--key-bytes 7: 36 keys that begin with 'bench:', and others to insert, need at least 8 bytes",
    );
    fits({ keys: 35, keyBytes: 7, workload: d });
    expect(() => {
      fits({ keys: 35, keyBytes: 7, workload: d, clients: 2, processes: 2 });
    }).to.throw('at least 8');
    fits({ keys: 36, keyBytes: 8, workload: d });
    expect(() => {
      fits({ keys: 37, keyBytes: 7 });
    }).to.throw("37 keys that begin with 'bench:' need at least 8 bytes");
  });
});
