// Answers that nobody reads are memory, and so are requests that are not complete: what waits for all clients together is bounded (ADR 24).
import { expect } from 'chai';
import type { Socket } from 'node:net';
import { MessageType, Want } from '../../src/protocol/messages.js';
import type { Message } from '../../src/protocol/messages.js';
import type { NodeStatus, TestCluster } from '../../src/testing/index.js';
import { keysWhere, mapOf, nodeOf, useCluster } from '../support/cluster-fixture.js';
import {
  closed,
  encode,
  greeting,
  openSocket,
  peakBytes,
  residentBytes,
} from '../support/cluster-hostile.js';
import { RawNode } from '../support/cluster-raw.js';
import { eventually } from '../support/cluster-until.js';
import { Peers } from '../support/transport-peers.js';
import type { RawPeer } from '../support/transport-peers.js';

const mebibyte = 1024 * 1024;
const valueBytes = 15 * mebibyte;
const ping = encode({ type: MessageType.ping, rid: 0 });
/** What may wait in a node for all clients together. */
const waitingBytesMax = 256 * mebibyte;
/** What a process may hold besides, its garbage not yet collected included. */
const besidesBytesMax = 160 * mebibyte;

const oneNode = { nodes: 1, replicas: 1, valueBytesMax: 16 * mebibyte, leaseMs: 5000 };

/** Closed after each test. To be called within `describe`. */
function useSockets(): Socket[] {
  const sockets: Socket[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });
  return sockets;
}

/** Node 0 is the process that it was, and has been a member all the while. */
async function expectUnharmed(cluster: TestCluster, { pid, incarnation }: NodeStatus): Promise<void> {
  const [after] = (await cluster.status()).nodes;
  expect(after).to.include({ pid, incarnation, state: 'up' });
}

describe('clients that each ask for one large value, and hardly read', function () {
  this.timeout(60_000);
  const fixture = useCluster(oneNode);
  const sockets = useSockets();

  it('take no more memory together than a bound; who reads is served all the while', async () => {
    const key = 'large';
    const store = await fixture.open();
    await store.put(key, new Uint8Array(valueBytes));
    const before = await fixture.cluster.status();
    const node = nodeOf(before, 0);
    const bytesBefore = residentBytes(node.pid);
    const get = encode({ type: MessageType.get, rid: 1, versionOnly: false, key });
    let cutOff = 0;
    for (let n = 0; n < 60; n++) {
      const socket = openSocket(node);
      sockets.push(socket);
      socket.pause().write(Buffer.concat([greeting, get]));
      void closed(socket).then(() => cutOff++);
    }
    let bytesMost = bytesBefore;
    await eventually('half of them are cut off', () => {
      bytesMost = Math.max(bytesMost, residentBytes(node.pid));
      // Whoever reads nothing finds out by writing; and this much they read.
      for (const socket of sockets) if (socket.writable && socket.write(ping)) socket.read(1);
      return cutOff >= sockets.length / 2;
    });
    expect(bytesMost - bytesBefore, 'growth').to.be.below(waitingBytesMax + besidesBytesMax);
    await eventually('its log names one of them', () =>
      /warn .*reads too slowly: \d+ bytes wait for \d+ clients/.test(fixture.cluster.logs),
    );
    expect(((await store.get(key)) as Uint8Array).length).to.equal(valueBytes);
    await expectUnharmed(fixture.cluster, node);
  });
});

describe('clients that each begin one large request, and hardly go on', function () {
  this.timeout(60_000);
  const fixture = useCluster(oneNode);
  const sockets = useSockets();

  it('take no more memory together than a bound; who goes on is served all the while', async () => {
    const sentBytes = 7 * mebibyte;
    const store = await fixture.open();
    const before = await fixture.cluster.status();
    const node = nodeOf(before, 0);
    const bytesBefore = residentBytes(node.pid);
    const begun = Buffer.alloc(sentBytes);
    begun.writeUInt32BE(15 * mebibyte);
    let cutOff = 0;
    for (let n = 0; n < 75; n++) {
      const socket = openSocket(node);
      sockets.push(socket);
      void closed(socket).then(() => cutOff++);
      const sent = new Promise((resolve) => {
        socket.once('close', resolve).write(Buffer.concat([greeting, begun]), resolve);
      });
      socket.resume();
      await sent;
    }
    expect(peakBytes(node.pid) - bytesBefore, 'growth').to.be.below(waitingBytesMax + besidesBytesMax);
    expect(cutOff).to.be.within(1, sockets.length - 10);
    await eventually('its log names one of them', () =>
      /warn .*sends too slowly: \d+ bytes of requests wait for their ends, from \d+ clients/.test(
        fixture.cluster.logs,
      ),
    );
    // Less than the silence after which the others are given up; and it is more than each of them holds.
    await store.put('large', new Uint8Array(valueBytes), { timeoutMs: 5000 });
    expect(((await store.get('large')) as Uint8Array).length).to.equal(valueBytes);
    await expectUnharmed(fixture.cluster, node);
  });
});

describe('clients that each wait for one large value that is being written', function () {
  this.timeout(120_000);
  const fixture = useCluster({ nodes: 2, replicas: 2, valueBytesMax: 8 * mebibyte, leaseMs: 20_000 });
  const peers = new Peers();
  afterEach(() => peers.close());

  const largeBytes = 7 * mebibyte;
  const never = { hlc: 0, clientId: 0, seq: 0, epoch: 0 };
  const requests: Record<string, (key: string, epoch: number) => Message> = {
    read: (key) => ({ type: MessageType.get, rid: 1, versionOnly: false, key }),
    conditional: (key, epoch) => ({
      ...{ type: MessageType.condition, rid: 1, epoch, opClientId: 77, opNumber: 1, key, retried: false },
      ...{ wants: Want.value, expectAbsent: true, expected: never, value: new Uint8Array(1), expiresAtMs: 0 },
    }),
  };
  for (const [what, requestOf] of Object.entries(requests)) {
    it(`take no more memory together than a bound when they are answered: ${what} requests`, async () => {
      const { cluster } = fixture;
      const store = await fixture.open();
      const [key = ''] = keysWhere(store, what, 1, ({ replicas }) => replicas[0] === 0);
      const before = await cluster.status();
      const node = nodeOf(before, 0);
      await cluster.pause(1);
      const writer = await RawNode.open(node);
      const version = { hlc: Date.now() * 1000, clientId: 13, seq: 0, epoch: 0 };
      const answer = await writer.write(mapOf(store), key, version, new Uint8Array(largeBytes));
      expect(answer.type, 'an ACK').to.equal(MessageType.ack);
      const waiting: RawPeer[] = [];
      for (let n = 0; n < 100; n++) {
        const peer = await peers.greetedRawClient(node.port);
        peer.send(requestOf(key, before.epoch), { type: MessageType.ping, rid: 2 });
        await eventually('its PING is answered', () => peer.messages.length > 0);
        expect(peer.rids, 'the other request waits').to.deep.equal([2]);
        peer.messages.length = 0;
        peer.socket.pause();
        waiting.push(peer);
      }
      const bytesBefore = residentBytes(node.pid);
      // Without a VALIDATE the write is replayed, and that needs the other replica.
      await cluster.resume(1);
      for (const peer of waiting) {
        peer.socket.resume();
        await eventually('it is answered, or cut off', () => peer.closed || peer.rids.includes(1));
        peer.messages.length = peer.chunks.length = 0;
        peer.socket.destroy();
      }
      expect(peakBytes(node.pid) - bytesBefore, 'growth').to.be.below(waitingBytesMax + besidesBytesMax);
      writer.close();
      await expectUnharmed(cluster, node);
      expect(((await store.get(key)) as Uint8Array).length).to.equal(largeBytes);
      await store.delete(key);
    });
  }
});
