// Walks through the keys of a slot: what one connection can make a node hold, and who may ask for which.
import { expect } from 'chai';
import v8 from 'node:v8';
import vm from 'node:vm';
import { wireLimits } from '../../src/protocol/cold-codec.js';
import { ProtocolError } from '../../src/protocol/errors.js';
import { MessageType, WriteKind } from '../../src/protocol/messages.js';
import type { Message } from '../../src/protocol/messages.js';
import { KeepingLink, NodeOnTable, self } from '../support/node-core.js';

const slots = 64;
const mebibyte = 2 ** 20;
/** Less than three batches of a scan, more than one. */
const keysPerSlot = 1000;
const collect: () => void = (() => {
  v8.setFlagsFromString('--expose-gc');
  return vm.runInNewContext('gc') as () => void;
})();

/** Bytes that are in use, on the heap and beside it. */
function bytesInUse(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** A node with `count` keys in its first slot, and one in each other. */
function stageWith(count: number): NodeOnTable {
  const stage = new NodeOnTable();
  stage.map(Array.from({ length: slots }, () => ({ replicas: [self] })));
  const link = new KeepingLink();
  const put = (key: string): void => {
    const version = { hlc: stage.nowMs * 1000, clientId: 1, seq: 0, epoch: 0 };
    const fields = { epoch: 1, kind: WriteKind.plain, applied: null, expiresAtMs: 0, version };
    stage.core.onRequest(link, { type: MessageType.write, rid: 1, key, value: Buffer.of(1), ...fields });
    stage.core.onRequest(link, { type: MessageType.validate, rid: 1 });
  };
  for (let slot = 1; slot < slots; slot++) put(String.fromCharCode(slot));
  // Sums of char codes that are multiples of the number of slots: all in slot 0.
  for (let i = 0; stage.store.keysIn(0) < count; i++) {
    const digits = `${i}`.padStart(5, '0');
    const sum = Array.from(digits).reduce((total, digit) => total + digit.charCodeAt(0), 0);
    put(digits + String.fromCharCode(slots - (sum % slots)));
  }
  return stage;
}

/** As many digests as one question can have, none of them of an entry that there is. */
function mostKnown(): Uint8Array {
  const words = Uint32Array.from({ length: wireLimits.knownBytesMax / 4 }, (_, i) =>
    Math.imul(i, 0x9e3779b1),
  );
  return new Uint8Array(words.buffer);
}

function differenceOf(slot: number, joinedAt: number, rid: number, known: Uint8Array, first = true): Message {
  const wanted = Buffer.of(255);
  return { type: MessageType.difference, rid, slot, joinedAt, first, buckets: 1, wanted, known };
}

describe('walks', () => {
  it('D2: however many differences a connection asks for, they cost the node a bounded piece of memory', () => {
    const stage = stageWith(1);
    const link = new KeepingLink();
    const known = mostKnown();
    const before = bytesInUse();
    for (let rid = 1; rid <= slots; rid++) {
      stage.core.onRequest(link, differenceOf(rid % slots, 1, rid, known));
      expect(link.take(MessageType.copyBatch), 'it has begun').to.have.length(1);
    }
    expect(bytesInUse() - before).to.be.below(64 * mebibyte);
    // The latest go on.
    for (let rid = slots - 4; rid <= slots; rid++) {
      stage.core.onRequest(link, differenceOf(rid % slots, 1, 100 + rid, new Uint8Array(0), false));
      expect(link.sent.splice(0).map(({ type }) => type)).to.deep.equal([MessageType.differenceEnd]);
    }
  }).timeout(30_000);

  it('D2: as many differences as a learner asks for at once go on side by side', () => {
    const stage = stageWith(1);
    const link = new KeepingLink();
    // A learner has 32 requests under way; where one is this large, a slot has a hundred thousand keys.
    const known = mostKnown().subarray(0, wireLimits.knownBytesMax / 4);
    for (let rid = 1; rid <= 32; rid++) stage.core.onRequest(link, differenceOf(rid, 1, rid, known));
    link.sent = [];
    for (let rid = 1; rid <= 32; rid++) {
      stage.core.onRequest(link, differenceOf(rid, 1, 100 + rid, new Uint8Array(0), false));
    }
    expect(new Set(link.sent.map(({ type }) => type))).to.deep.equal(new Set([MessageType.differenceEnd]));
  }).timeout(30_000);

  it('M5, D2: only a node is given a copy; a client may list keys', () => {
    const stage = stageWith(1);
    const client = new KeepingLink();
    client.isOfNode = false;
    const fields = { rid: 1, slot: 1, joinedAt: 1, first: true } as const;
    for (const request of [
      { type: MessageType.copy, ...fields },
      { type: MessageType.digestAsk, ...fields },
      differenceOf(1, 1, 1, new Uint8Array(0)),
    ] as const) {
      expect(() => {
        stage.core.onRequest(client, request);
      }).to.throw(ProtocolError, /only a node/);
    }
    stage.core.onRequest(client, {
      ...{ type: MessageType.scan, rid: 2, slot: 1, scanId: 1, first: true, prefix: '' },
    });
    expect(client.sent.map(({ type }) => type)).to.deep.equal([MessageType.scanBatch]);
  });

  it('hundreds of scans on one connection go on side by side', () => {
    const stage = stageWith(keysPerSlot);
    const client = new KeepingLink();
    const scans = 400;
    let entries = 0;
    for (const first of [true, false]) {
      for (let scanId = 1; scanId <= scans; scanId++) {
        stage.core.onRequest(client, {
          ...{ type: MessageType.scan, rid: scanId, slot: 0, scanId, first, prefix: '' },
        });
        const [batch] = client.sent.splice(0);
        if (batch?.type !== MessageType.scanBatch) throw new Error(`scan ${scanId} does not go on`);
        entries += batch.entries.length;
        expect(batch.done).to.equal(!first);
      }
    }
    expect(entries).to.equal(scans * keysPerSlot);
  });

  it('a connection that leaves scans alone keeps the latest', () => {
    const stage = stageWith(keysPerSlot);
    const client = new KeepingLink();
    const ask = (scanId: number, first: boolean): Message['type'] | undefined => {
      const message = { type: MessageType.scan, rid: 1, slot: 0, scanId, first, prefix: '' } as const;
      stage.core.onRequest(client, message);
      return client.sent.splice(0)[0]?.type;
    };
    const scans = 2000;
    for (let scanId = 1; scanId <= scans; scanId++) ask(scanId, true);
    expect(ask(1, false)).to.equal(MessageType.fenced);
    expect(ask(scans, false)).to.equal(MessageType.scanBatch);
  });
});
