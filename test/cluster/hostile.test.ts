// Peers that mean harm or are broken, against a real manager and real nodes: the cluster serves its clients throughout,
// nobody dies or is evicted, and memory stays bounded.
import { expect } from 'chai';
import type { Socket } from 'node:net';
import type { GTStoreClient, Version } from '../../src/client/index.js';
import { GTStoreError } from '../../src/protocol/errors.js';
import { MessageType, PeerRole, RefusedReason } from '../../src/protocol/messages.js';
import { OtherClusterError } from '../../src/transport/close-reason.js';
import { dial } from '../../src/transport/dialer.js';
import { newHello } from '../../src/transport/handshake.js';
import { Prng } from '../sim/prng.js';
import { ChildClient } from '../support/cluster-children.js';
import { incarnations, keysWhere, mapOf, nodeOf, slotOf, useCluster } from '../support/cluster-fixture.js';
import { closed, encode, Fuzzer, greeting, openSocket, residentBytes } from '../support/cluster-hostile.js';
import { Load } from '../support/cluster-load.js';
import type { Address } from '../support/cluster-proxy.js';
import { RawNode } from '../support/cluster-raw.js';
import { eventually, stretch, within } from '../support/cluster-until.js';
import { mapInWindow } from '../support/cluster-window.js';

const mebibyte = 1024 * 1024;
const ping = encode({ type: MessageType.ping, rid: 0 });
/** What a process may hold more than before, its garbage not yet collected included. */
const growthBytesMax = 160 * mebibyte;

describe('hostile peers', function () {
  this.timeout(90_000);
  const fixture = useCluster({ nodes: 4, replicas: 3, leaseMs: 5000 });
  const sockets: Socket[] = [];

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });

  function open(address: Address): Socket {
    const socket = openSocket(address);
    sockets.push(socket);
    return socket;
  }

  /** Who is under attack: the manager and one node. */
  async function victims(): Promise<{ addresses: readonly Address[]; pids: readonly number[] }> {
    const { manager, nodes } = await fixture.cluster.status();
    const node = nodeOf({ nodes }, 0);
    return { addresses: [manager, node], pids: [manager.pid, node.pid] };
  }

  /** Runs the attack; meanwhile clients are served, and afterwards everybody is who he was. */
  async function withstands(name: string, attack: (store: GTStoreClient) => Promise<void>): Promise<void> {
    const store = await fixture.open();
    const before = await fixture.cluster.status();
    const { pids } = await victims();
    const bytesBefore = pids.map(residentBytes);
    const load = new Load(
      store,
      keysWhere(store, `${name}-load`, 6, (slot) => slot.replicas.includes(0)),
      { everyMs: 20 },
    );
    await load.untilWrites(20);
    await attack(store);
    const bytesAfter = pids.map(residentBytes);
    await load.untilWrites(20);
    const report = await load.stop();
    expect(report.failures).to.deep.equal([]);
    expect(report.slowestMs, 'slowest call').to.be.below(5000);
    const after = await fixture.cluster.status();
    expect(incarnations(after)).to.equal(incarnations(before));
    expect(after.nodes.map(({ pid }) => pid)).to.deep.equal(before.nodes.map(({ pid }) => pid));
    expect(after.epoch).to.equal(before.epoch);
    bytesAfter.forEach((bytes, i) => {
      expect(bytes - (bytesBefore[i] ?? 0), `growth of process ${i}`).to.be.below(growthBytesMax);
    });
    // Newcomers are let in.
    const newcomer = await fixture.open();
    await newcomer.put(`${name}-newcomer`, 1);
    expect(await newcomer.get(`${name}-newcomer`)).to.equal(1);
  }

  it('100,000 frames of noise and half-truths end their own connections and nothing else', async () => {
    // Most connections are ended after a few frames: so there are many of them.
    const framesPerConnection = 12;
    await withstands('fuzz', async () => {
      const { addresses } = await victims();
      const fuzzer = new Fuzzer(new Prng(4711), 'fuzzed');
      let frames = 0;
      const connections = Array.from({ length: Math.ceil(100_000 / framesPerConnection) }, (_, i) => i);
      const attackOnce = async (i: number): Promise<void> => {
        const socket = openSocket(addresses[i % 3 === 0 ? 0 : 1] ?? { host: '', port: 0 });
        const chunks = Array.from({ length: framesPerConnection }, () => fuzzer.frame());
        frames += chunks.length;
        // A few say no hello.
        socket.end(Buffer.concat(i % 10 === 0 ? chunks : [greeting, ...chunks]));
        socket.resume();
        await within('the connection is ended', 20_000, closed(socket));
      };
      await mapInWindow(connections, attackOnce, 32);
      expect(frames).to.be.at.least(100_000);
    });
  });

  it('frames that are announced and never come cost nothing', async () => {
    await withstands('announced', async () => {
      const { addresses } = await victims();
      const head = Buffer.alloc(4);
      head.writeUInt32BE(4 * mebibyte);
      for (const address of addresses) {
        for (let i = 0; i < 300; i++) {
          const socket = open(address);
          socket.resume();
          socket.write(Buffer.concat([greeting, head, Buffer.alloc(i * 10)]));
        }
      }
      await stretch(1000);
    });
  });

  it('clients that ask for much and read nothing are held back, and given up in the end', async () => {
    await withstands('deaf', async (store) => {
      const [key = ''] = keysWhere(store, 'large', 1, (slot) => slot.replicas[0] === 0);
      await store.put(key, 'x'.repeat(mebibyte - 5));
      const { addresses, pids } = await victims();
      const before = pids.map(residentBytes);
      const rids = Array.from({ length: 500 }, (_, i) => i + 1);
      // Answers of 1 MiB from the node, of some kilobytes from the manager.
      const gets = rids.map((rid) => ({ type: MessageType.get, rid, versionOnly: false, key }));
      const maps = Array.from({ length: 20 }, () => rids)
        .flat()
        .map((rid) => ({
          type: MessageType.getMap,
          rid,
          newerThan: 0,
        }));
      const deaf = addresses.flatMap((address) => Array.from({ length: 8 }, () => open(address)));
      deaf.forEach((socket, i) => {
        socket.pause();
        socket.write(Buffer.concat([greeting, encode(...(i < 8 ? maps : gets))]));
      });
      const most = [...before];
      await eventually('all of them are given up', () => {
        pids.forEach((pid, i) => (most[i] = Math.max(most[i] ?? 0, residentBytes(pid))));
        // Whoever reads nothing finds out by writing.
        for (const socket of deaf) if (socket.writable) socket.write(ping);
        return deaf.every((socket) => !socket.writable);
      });
      most.forEach((bytes, i) => {
        expect(bytes - (before[i] ?? 0), `growth of process ${i}`).to.be.below(growthBytesMax);
      });
    });
  });

  it('thousands of connections that never say a word are turned out in time', async () => {
    await withstands('mute', async () => {
      const { addresses } = await victims();
      const mute = addresses.flatMap((address) => Array.from({ length: 1500 }, () => open(address)));
      for (const socket of mute) socket.resume();
      await eventually('all are turned out', () => mute.every((socket) => socket.destroyed), 30_000);
    });
  });

  it('strangers of other protocols are told so and turned out', async () => {
    await withstands('stranger', async () => {
      const { addresses } = await victims();
      for (const address of addresses) {
        for (const words of [
          'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
          '*1\r\n$4\r\nPING\r\n',
          '\x16\x03\x01\x02\x00\x01',
        ]) {
          const socket = open(address);
          const chunks: Buffer[] = [];
          socket.on('data', (chunk) => chunks.push(chunk));
          socket.write(words);
          await within('it is turned out', 10_000, closed(socket));
          expect(Buffer.concat(chunks).toString('latin1')).to.include('PROTOCOL');
        }
      }
    });
  });

  it('who names another cluster is told so by the manager, in words that only a manager says', async () => {
    const { manager, nodes } = await fixture.cluster.status();
    const hello = newHello(PeerRole.node, { clusterId: 'other' });
    const handlers = { onMessage: (): void => undefined, onClose: (): void => undefined };
    const refusal = async (address: Address): Promise<unknown> =>
      dial({ ...address, hello, handlers }).catch((error: unknown) => error);
    expect(await refusal(manager))
      .to.be.instanceOf(OtherClusterError)
      .and.have.property('code', 'PROTOCOL');
    expect(await refusal(nodeOf({ nodes }, 0)))
      .to.be.instanceOf(GTStoreError)
      .and.not.to.be.instanceOf(OtherClusterError);
  });

  it('W10: limits hold for clients of their own making, too: long keys, large values, writes of other times', async () => {
    await withstands('limits', async (store) => {
      const { nodes } = await fixture.cluster.status();
      const raw = await RawNode.open(nodeOf({ nodes }, 0));
      const [key = ''] = keysWhere(store, 'limits', 1, (slot) => slot.replicas.includes(0));
      const { version } = await store.put(key, 'mine');
      const hourUs = 3600_000_000;
      const later = (us: number): Version => ({ ...version, hlc: version.hlc + us });
      const refusals = [
        [await raw.write(mapOf(store), longKey(store), later(1), 1), RefusedReason.keyTooLarge],
        [await raw.write(mapOf(store), key, later(1), 'x'.repeat(mebibyte)), RefusedReason.valueTooLarge],
        [await raw.write(mapOf(store), key, later(-hourUs), 1), RefusedReason.tooOld],
        [await raw.write(mapOf(store), key, later(3 * hourUs), 1), RefusedReason.fromFuture],
      ] as const;
      raw.close();
      for (const [answer, reason] of refusals) {
        expect(answer).to.deep.equal({
          type: MessageType.refused,
          rid: 'rid' in answer && answer.rid,
          reason,
        });
      }
      expect(await store.get(key)).to.equal('mine');
    });
  });

  it('M2: thousands of false reports evict nobody and leave other clients their throughput', async () => {
    await withstands('slander', async (store) => {
      const keys = keysWhere(store, 'throughput', 16, () => true);
      const atRest = await throughput(store, keys, stretch(1000));
      const child = new ChildClient({ url: fixture.cluster.url, act: 'slander', count: 8000 });
      try {
        await child.reported(
          'it has a session',
          ({ outcomes, rounds }) => outcomes !== undefined || rounds === 0,
        );
        const slandered = await throughput(
          store,
          keys,
          child.ended().then(() => undefined),
        );
        expect(child.report?.outcomes).to.deep.equal(['done']);
        expect(slandered, `operations per second, ${atRest} at rest`).to.be.above(atRest / 5);
      } finally {
        await child.kill();
      }
    });
  });

  /** Puts and gets per second until the promise is fulfilled. */
  async function throughput(
    store: GTStoreClient,
    keys: readonly string[],
    end: Promise<void>,
  ): Promise<number> {
    const startMs = performance.now();
    let isOver = false;
    let operations = 0;
    const lane = async (key: string): Promise<void> => {
      while (!isOver) {
        await store.put(key, operations);
        await store.get(key);
        operations += 2;
      }
    };
    const lanes = Promise.all(keys.map(lane));
    await end;
    isOver = true;
    await lanes;
    return (operations * 1000) / (performance.now() - startMs);
  }

  /** Longer than allowed, in a slot of node 0. */
  function longKey(store: GTStoreClient): string {
    let key = 'k'.repeat(251);
    while (!slotOf(store, key).replicas.includes(0)) key += 'k';
    return key;
  }
});
