// Answers that nobody reads are memory: what waits for all clients together is bounded (ADR 24).
import { expect } from 'chai';
import type { Socket } from 'node:net';
import { MessageType } from '../../src/protocol/messages.js';
import { nodeOf, useCluster } from '../support/cluster-fixture.js';
import { closed, encode, greeting, openSocket, residentBytes } from '../support/cluster-hostile.js';
import { eventually } from '../support/cluster-until.js';

const mebibyte = 1024 * 1024;
const valueBytes = 15 * mebibyte;
const ping = encode({ type: MessageType.ping, rid: 0 });
/** What may wait in a node for all clients together. */
const waitingBytesMax = 256 * mebibyte;
/** What a process may hold besides, its garbage not yet collected included. */
const besidesBytesMax = 160 * mebibyte;

describe('clients that each ask for one large value, and hardly read', function () {
  this.timeout(60_000);
  const fixture = useCluster({ nodes: 1, replicas: 1, valueBytesMax: 16 * mebibyte, leaseMs: 5000 });
  const sockets: Socket[] = [];

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });

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
    const [after] = (await fixture.cluster.status()).nodes;
    expect(after).to.include({ pid: node.pid, incarnation: node.incarnation, state: 'up' });
  });
});
