// Clients that are killed or stopped in the middle of their writes, and writes that reached only some replicas.
import { expect } from 'chai';
import { isDeepStrictEqual } from 'node:util';
import type { GTStoreClient, StoreValue } from '../../src/client/index.js';
import { MessageType } from '../../src/protocol/messages.js';
import { ChildClient } from '../support/cluster-children.js';
import { keysWhere, mapOf, nodeOf, slotOf, useCluster } from '../support/cluster-fixture.js';
import { RawNode } from '../support/cluster-raw.js';
import { eventually, within } from '../support/cluster-until.js';

/** A read that meets an undecided write waits for a replay: milliseconds, and a generous rest for a busy machine. */
const soonMs = 2000;
const keysOf = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${name}-${i}`);

/** Reads all keys three times, each key from each of its three replicas. */
async function readEveryReplica(
  any: GTStoreClient,
  keys: readonly string[],
): Promise<(StoreValue | undefined)[][]> {
  const rounds: (StoreValue | undefined)[][] = [];
  for (let i = 0; i < 3; i++) {
    // Replicas are asked in turn, one by one: the next round shall begin one further.
    for (let count = keys.length; count % 3 !== 1; count++) await any.get(keys[0] ?? '');
    rounds.push(await any.getMany(keys));
  }
  return rounds;
}

describe('clients that leave in the middle', function () {
  this.timeout(30_000);
  const fixture = useCluster({ nodes: 4, replicas: 3, partitioner: 'fnv1a', leaseMs: 5000 });
  const children: ChildClient[] = [];

  function start(task: ConstructorParameters<typeof ChildClient>[0]): ChildClient {
    const child = new ChildClient(task);
    children.push(child);
    return child;
  }
  afterEach(async () => {
    for (const child of children.splice(0)) await child.kill();
  });

  /** All replicas tell the same of each key, soon; it stays so; and conditional writes work. */
  async function expectSettled(
    keys: readonly string[],
    possible: readonly unknown[],
  ): Promise<readonly unknown[]> {
    const [store, any] = [await fixture.open(), await fixture.open({ readFrom: 'any' })];
    let values = await within('all keys are read', soonMs, any.getMany(keys));
    for (const value of values) expect(value).to.be.oneOf([...possible]);
    // A write that reached one replica only is decided when somebody asks that one, and others may show the value
    // before it until then.
    await eventually('all replicas tell the same', async () => {
      const [first = [], ...others] = await readEveryReplica(any, keys);
      values = first;
      return others.every((other) => isDeepStrictEqual(other, first));
    });
    for (const value of values) expect(value).to.be.oneOf([...possible]);
    for (const later of await readEveryReplica(any, keys)) expect(later).to.deep.equal(values);
    // Every one is still there to be replaced.
    const wrapped = keys.map((key) => store.update(key, (value) => [value ?? null]));
    await within('all keys are updated', soonMs, Promise.all(wrapped));
    expect(await any.getMany(keys)).to.deep.equal(values.map((value) => [value ?? null]));
    return values;
  }

  it('R2, R3: writes of a client killed between WRITE and VALIDATE are decided when somebody asks', async () => {
    const keys = keysOf('killed', 40);
    const child = start({ url: fixture.cluster.url, act: 'put and fall', keys, signal: 'SIGKILL' });
    expect(await child.ended()).to.equal('SIGKILL');
    const values = await expectSettled(keys, ['of the child', undefined]);
    // The first was acknowledged.
    expect(values).to.include('of the child');
  });

  it('R2, R3: nobody waits for a client that stands still between WRITE and VALIDATE, and it wins nothing later', async () => {
    const keys = keysOf('stopped', 40);
    const child = start({ url: fixture.cluster.url, act: 'put and fall', keys, signal: 'SIGSTOP' });
    const [store, any] = [await fixture.open(), await fixture.open({ readFrom: 'any' })];
    await eventually('the first write shows', async () =>
      (await any.getMany(keys)).some((value) => value === 'of the child'),
    );
    await expectSettled(keys, ['of the child', undefined]);
    await Promise.all(keys.map((key) => store.put(key, 'later')));
    child.signal('SIGCONT');
    const { outcomes = [] } = await child.reported('the child has gone on');
    // What was overtaken before it heard of its success cannot know of it.
    for (const outcome of outcomes) expect(outcome).to.be.oneOf(['done', 'OUTCOME_UNKNOWN']);
    expect(outcomes).to.include('done');
    expect(await child.ended()).to.equal(0);
    expect(await any.getMany(keys)).to.deep.equal(keys.map(() => 'later'));
  });

  it('R2, R3: clients killed in the middle of streams of writes leave no key behind that anybody waits for', async () => {
    for (let i = 0; i < 3; i++) {
      const keys = keysOf(`streamed-${i}`, 60);
      const child = start({ url: fixture.cluster.url, act: 'put for ever', keys });
      const { rounds = 0 } = await child.reported('some rounds', (report) => (report.rounds ?? 0) > 5);
      await child.kill();
      const last = child.report?.rounds ?? rounds;
      // It may have told more than was heard.
      const possible = Array.from({ length: 50 }, (_, n) => last + n);
      await expectSettled(keys, possible);
    }
  });

  it('R1, R3: a write that reached one replica is decided once and for all by the first who asks', async () => {
    const store = await fixture.open();
    for (const member of [0, 1, 2]) {
      const keys = keysWhere(store, `partly-${member}`, 5, () => true);
      for (const key of keys) {
        await writePartly(store, key, [member]);
        const any = await fixture.open({ readFrom: 'any' });
        const value = await within('the key is read', soonMs, any.get(key));
        // Whoever has seen the new value must not see the old one again, nor may anybody else.
        for (let i = 0; i < 6; i++) {
          const next = await any.get(key);
          if (value === 'new') expect(next).to.equal('new');
        }
      }
      await expectSettled(keys, ['old', 'new']);
    }
  });

  it('R3: an abandoned write that nobody asks for is decided by the replicas', async () => {
    const store = await fixture.open();
    const key = 'forgotten';
    await writePartly(store, key, [0, 1, 2]);
    const map = mapOf(store);
    const { nodes } = await fixture.cluster.status();
    for (const id of slotOf(store, key).replicas) {
      const node = nodes.find((each) => each.id === id);
      const raw = await RawNode.open(node ?? { host: '', port: 0 });
      await eventually('the replica holds it VALID', async () => {
        const undecided = await raw.undecided(map.slotOf(key), key);
        return undecided?.length === 0;
      });
      raw.close();
    }
    expect(await store.get(key)).to.equal('new');
  });

  /** Stores 'old' in good order and 'new' at some replicas only, without VALIDATE, as a client that dies would. */
  async function writePartly(store: GTStoreClient, key: string, members: readonly number[]): Promise<void> {
    const { version } = await store.put(key, 'old');
    const { replicas } = slotOf(store, key);
    const status = await fixture.cluster.status();
    const newer = { ...version, hlc: version.hlc + 1000, clientId: 4711 };
    for (const member of members) {
      const raw = await RawNode.open(nodeOf(status, replicas[member] ?? -1));
      const answer = await raw.write(mapOf(store), key, newer, 'new');
      expect(answer.type).to.equal(MessageType.ack);
      raw.close();
    }
  }
});
