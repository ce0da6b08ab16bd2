// The hot loop, the schedule of the open loop and what is counted, with a store in memory.
import { expect } from 'chai';
import { GTStoreError, type StoreValue, type Version } from '../../src/client/index.js';
import { Histogram } from '../../src/load/histogram.js';
import { KeyList } from '../../src/load/key-list.js';
import { Lanes, type LoadStore, laneCommons } from '../../src/load/lanes.js';
import { Pacer } from '../../src/load/pacer.js';
import type { LoadPlan } from '../../src/load/plan.js';
import { Recorder, type Recording } from '../../src/load/recorder.js';
import { type Kind, getPutWorkload, kinds, workloadNamed } from '../../src/load/workloads.js';
import { loadPlan } from '../support/load-plan.js';
import { stretch } from '../support/cluster-until.js';
import { until } from '../support/until.js';

const version: Version = { hlc: 1, clientId: 1, seq: 0, epoch: 0 };

/** Answers after a turn of the event loop, or fails as told. */
class MemoryStore implements LoadStore {
  readonly values = new Map<string, StoreValue>();
  readonly calls = { get: 0, put: 0, getMany: 0, update: 0, delete: 0 };
  underWay = 0;
  underWayMax = 0;
  failWith: string | undefined;
  /** Called before each answer. */
  beforeAnswer: () => Promise<void> = () => new Promise((resolve) => setImmediate(resolve));

  async #answer<T>(call: keyof MemoryStore['calls'], act: () => T): Promise<T> {
    this.calls[call]++;
    if (this.failWith !== undefined) throw new GTStoreError(this.failWith as 'QUEUE_FULL', 'as told');
    this.underWayMax = Math.max(this.underWayMax, ++this.underWay);
    await this.beforeAnswer();
    this.underWay--;
    return act();
  }

  get<V = StoreValue>(key: string): Promise<V | undefined> {
    return this.#answer('get', () => this.values.get(key) as V | undefined);
  }

  put(key: string, value: StoreValue): Promise<{ version: Version }> {
    return this.#answer('put', () => {
      this.values.set(key, value);
      return { version };
    });
  }

  getMany<V = StoreValue>(keys: Iterable<string>): Promise<(V | undefined)[]> {
    return this.#answer('getMany', () => [...keys].map((key) => this.values.get(key) as V | undefined));
  }

  update(...[key, mutate]: Parameters<LoadStore['update']>): ReturnType<LoadStore['update']> {
    return this.#answer('update', () => mutate(this.values.get(key))).then(async (value) => {
      const stored = (await value) ?? null;
      this.values.set(key, stored);
      return { value: stored, version };
    });
  }

  delete(key: string): Promise<boolean> {
    return this.#answer('delete', () => this.values.delete(key));
  }
}

interface Driven {
  readonly store: MemoryStore;
  readonly keys: KeyList;
  readonly recording: Recording;
  count(kind: Kind): number;
}

/** Runs until so many operations have been done, or failed. */
async function drive(
  changes: Partial<LoadPlan>,
  calls: number,
  prepare?: (store: MemoryStore) => void,
): Promise<Driven> {
  const plan = loadPlan(changes);
  const store = new MemoryStore();
  const keys = new KeyList(plan, 0);
  for (let index = 0; index < keys.length; index++) store.values.set(keys.nameAt(index), 'v');
  prepare?.(store);
  const recorder = new Recorder();
  recorder.begin(performance.now(), Infinity);
  const lanes = new Lanes(store, laneCommons(plan, keys, recorder, undefined), 0);
  const ended = lanes.run(plan.inFlight);
  try {
    await until(() => Object.values(store.calls).reduce((sum, count) => sum + count) >= calls);
  } finally {
    lanes.stop();
  }
  recorder.end(performance.now());
  await ended;
  expect(lanes.running).to.equal(0);
  const recording = recorder.recording();
  const count = (kind: Kind): number => new Histogram(recording.latencies[kinds.indexOf(kind)]).count;
  return { store, keys, recording, count };
}

describe('load: lanes', () => {
  it('keep as many operations under way as they are told, and no more', async () => {
    const { store } = await drive({ inFlight: 5 }, 500);
    expect(store.underWayMax).to.equal(5);
  });

  it('do what the mix says, and count each call under its kind', async () => {
    const { store, count } = await drive({ workload: getPutWorkload(0.8, 'uniform') }, 5000);
    expect(count('get')).to.equal(store.calls.get);
    expect(count('put')).to.equal(store.calls.put);
    expect(store.calls.get / (store.calls.get + store.calls.put)).to.be.closeTo(0.8, 0.03);
  });

  it('YCSB D: inserts new keys, and reads those only once they are there', async () => {
    const { store, keys, count, recording } = await drive({ workload: workloadNamed('d')! }, 5000);
    expect(count('insert')).to.equal(store.calls.put).and.to.equal(keys.inserted).and.to.be.above(100);
    expect(store.values.size).to.equal(100 + keys.inserted);
    expect(recording.absent).to.equal(0);
  });

  it('YCSB D: an insert that failed is done again, so that nobody reads a key that may not be there', async () => {
    const { store, keys, recording } = await drive({ workload: workloadNamed('d')! }, 5000, (each) => {
      const put = each.put.bind(each);
      let puts = 0;
      each.put = (key, value) =>
        ++puts % 3 === 0 ? Promise.reject(new GTStoreError('TIMEOUT', 'as told')) : put(key, value);
    });
    expect(recording.errors['TIMEOUT']).to.be.above(20);
    expect(recording.absent).to.equal(0);
    for (let index = 0; index < keys.length; index++)
      expect(store.values.has(keys.nameAt(index))).to.equal(true);
    expect(store.values.size).to.be.at.most(100 + keys.inserted);
  });

  it('clients of a process share their values, which are few where they are large', () => {
    const commonsOf = (valueBytes: number): readonly string[] => {
      const plan = loadPlan({ valueBytes });
      return laneCommons(plan, new KeyList(plan, 0), new Recorder(), undefined).values;
    };
    expect(commonsOf(100)).to.have.length(16);
    expect(commonsOf(0)).to.have.length(16);
    expect(commonsOf(16 * 2 ** 20)).to.have.length(4);
    expect(new Set(commonsOf(64 * 2 ** 20)).size).to.equal(2);
  });

  it('YCSB E: reads runs of 1 to 100 keys that are there', async () => {
    const lengths: number[] = [];
    await drive({ workload: workloadNamed('e')!, keys: 1000 }, 3000, (store) => {
      const getMany = store.getMany.bind(store);
      store.getMany = async <V>(asked: Iterable<string>) => {
        const values = await getMany<V>(asked);
        expect(values).not.to.include(undefined);
        lengths.push(values.length);
        return values;
      };
    });
    expect(Math.min(...lengths)).to.equal(1);
    expect(Math.max(...lengths)).to.equal(100);
  });

  it('YCSB F: updates store another value than was there', async () => {
    const { store, count } = await drive({ workload: workloadNamed('f')!, valueBytes: 7 }, 1000);
    expect(count('update')).to.equal(store.calls.update).and.to.be.above(300);
    const values = new Set(store.values.values());
    expect(values.size).to.be.above(2);
    for (const value of values) if (value !== 'v') expect(value).to.match(/^(\w)\1{6}$/);
  });

  it('the same seed gives the same operations, another client others', async () => {
    const keysRead = async (seed: number): Promise<string[]> => {
      const read: string[] = [];
      await drive({ seed, inFlight: 1, workload: getPutWorkload(1, 'zipfian') }, 200, (store) => {
        const get = store.get.bind(store);
        store.get = (key) => {
          read.push(key);
          return get(key);
        };
      });
      return read.slice(0, 200);
    };
    expect(await keysRead(4)).to.deep.equal(await keysRead(4));
    expect(await keysRead(4)).not.to.deep.equal(await keysRead(5));
  });

  it('failures are counted by code, and a store that refuses at once does not lock up the process', async () => {
    const { store, recording, count } = await drive(
      { inFlight: 4 },
      12,
      (each) => (each.failWith = 'QUEUE_FULL'),
    );
    expect(recording.errors).to.deep.equal({ QUEUE_FULL: store.calls.get + store.calls.put });
    expect(count('get') + count('put')).to.equal(0);
  });

  it('gets that find nothing are counted', async () => {
    const { store, recording } = await drive({ workload: getPutWorkload(1, 'uniform') }, 50, (each) => {
      each.values.clear();
    });
    expect(recording.absent).to.equal(store.calls.get);
  });

  it('a mistake of ours is no failure of the store: it ends the run', async () => {
    const store = new MemoryStore();
    store.get = () => Promise.reject(new RangeError('oops'));
    const plan = loadPlan({ workload: getPutWorkload(1, 'uniform') });
    const lanes = new Lanes(store, laneCommons(plan, new KeyList(plan, 0), new Recorder(), undefined), 0);
    const failure = await lanes.run(1).catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(RangeError);
  });
});

describe('load: what is counted', () => {
  const get = kinds.indexOf('get');

  it('throughput: what ended within the time; latency: what was begun before its end', () => {
    const recorder = new Recorder();
    recorder.succeeded(get, 500, 900);
    recorder.begin(1000, 3500);
    recorder.succeeded(get, 990, 1001);
    recorder.succeeded(get, 1500, 1999);
    recorder.succeeded(get, 1500, 2000);
    recorder.succeeded(get, 3000, 3499);
    recorder.succeeded(get, 3400, 9000);
    recorder.succeeded(get, 3600, 3700);
    recorder.failed('TIMEOUT', 3400, 13_400);
    recorder.failed('TIMEOUT', 3600, 13_600);
    const recording = recorder.recording();
    expect(recording.perInterval).to.deep.equal([2, 1, 1]);
    expect(recording.measuredMs).to.equal(2500);
    expect(new Histogram(recording.latencies[get]).count).to.equal(5);
    expect(new Histogram(recording.latencies[get]).maxMs).to.equal(5600);
    expect(recording.errors).to.deep.equal({ TIMEOUT: 1 });
  });

  it('seconds in which nothing ended are zeros, the last ones too', () => {
    const recorder = new Recorder();
    recorder.begin(0, 5000);
    recorder.succeeded(get, 0, 1500);
    expect(recorder.recording().perInterval).to.deep.equal([0, 1, 0, 0, 0]);
  });

  it('two seconds are two intervals, whatever the sums of the clock say', () => {
    for (const beganMs of [0.1, 1234.567891, 98_765.4321, 7_654_321.123457]) {
      const recorder = new Recorder();
      recorder.begin(beganMs, beganMs + 2000);
      expect(recorder.recording()).to.deep.include({ measuredMs: 2000, perInterval: [0, 0] });
      recorder.end(beganMs + 2000.0000001);
      expect(recorder.recording().perInterval).to.deep.equal([0, 0]);
      recorder.end(beganMs + 1999.9999999);
      expect(recorder.recording().measuredMs).to.equal(2000);
    }
  });

  it('stopped in the warm-up: nothing', () => {
    const recorder = new Recorder();
    recorder.succeeded(get, 0, 1);
    recorder.end(10);
    expect(recorder.recording()).to.include({ measuredMs: 0, absent: 0 });
    expect(recorder.recording().perInterval).to.deep.equal([]);
  });
});

describe('load: open loop', () => {
  it('due times are even, whenever they are asked for; what is behind counts from when it was due', () => {
    const pacer = new Pacer(100);
    pacer.start(1000, 0.5);
    expect([pacer.next(1050), pacer.next(1050), pacer.next(1050)]).to.deep.equal([1005, 1015, 1025]);
    expect(pacer.backlog(1080)).to.equal(5);
    expect(pacer.backlog(1035)).to.equal(0);
    pacer.stop();
  });

  it('a lane that comes early waits; a late timer is not the fault of the store', async () => {
    const pacer = new Pacer(1000);
    pacer.start(performance.now() + 20, 0);
    const askedMs = performance.now();
    const began = await Promise.all([pacer.next(askedMs), pacer.next(askedMs)]);
    expect(began[0]).to.be.at.least(askedMs + 19);
    expect(began[1]).to.be.at.least(began[0]);
    pacer.stop();
  });

  it('stop lets go whoever waits', async () => {
    const pacer = new Pacer(0.1);
    pacer.start(performance.now(), 0.9);
    const waiting = pacer.next(performance.now());
    pacer.stop();
    expect(await waiting).to.be.NaN;
    expect(pacer.next(performance.now())).to.be.NaN;
  });

  it('no coordinated omission: a store that stands still delays every operation that was due meanwhile', async () => {
    const plan = loadPlan({ inFlight: 2, ratePerSecond: 1000 });
    const store = new MemoryStore();
    const recorder = new Recorder();
    const pacer = new Pacer(1000);
    const lanes = new Lanes(store, laneCommons(plan, new KeyList(plan, 0), recorder, pacer), 0);
    const stillMs = 300;
    let isStill = false;
    store.beforeAnswer = async () => {
      if (!isStill && store.calls.get + store.calls.put > 20) {
        isStill = true;
        store.beforeAnswer = () => frozen;
      }
      if (isStill) await frozen;
    };
    let thaw: () => void = () => undefined;
    const frozen = new Promise<void>((resolve) => (thaw = resolve));
    recorder.begin(performance.now(), Infinity);
    pacer.start(performance.now(), 0);
    const ended = lanes.run(plan.inFlight);
    try {
      await until(() => isStill);
      // The stretch of time is what is tested.
      await stretch(stillMs);
      store.beforeAnswer = () => new Promise((resolve) => setImmediate(resolve));
      thaw();
      await until(() => lanes.completed > 400);
    } finally {
      lanes.stop();
      pacer.stop();
      thaw();
    }
    recorder.end(performance.now());
    await ended;
    const all = new Histogram();
    for (const part of recorder.recording().latencies) all.merge(part);
    // 300 of some 400 were due while it stood still: half of these waited for 150 ms or more.
    expect(all.percentileMs(0.75)).to.be.above(100);
    expect(all.maxMs).to.be.at.least(stillMs - 5);
  });
});
