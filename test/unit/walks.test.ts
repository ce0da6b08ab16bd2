// Walks through the keys of a slot: what one connection can make a node hold, and who may ask for which.
import { expect } from 'chai';
import v8 from 'node:v8';
import vm from 'node:vm';
import { wireLimits } from '../../src/protocol/cold-codec.js';
import { ProtocolError } from '../../src/protocol/errors.js';
import { MessageType, WriteKind } from '../../src/protocol/messages.js';
import type { Message } from '../../src/protocol/messages.js';
import { KeepingLink, NodeOnTable, self } from '../support/node-core.js';
import { until } from '../support/until.js';

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

function scanOf(slot: number, scanId: number, prefix: string, first = true): Message {
  return { type: MessageType.scan, rid: scanId, slot, scanId, first, prefix };
}

/** Turns until nothing waits for one. @returns what was sent in each */
function turnsOf(stage: NodeOnTable, link: KeepingLink): Message[][] {
  const sent: Message[][] = [];
  while (stage.turns.length > 0) {
    stage.turn();
    sent.push(link.sent.splice(0));
  }
  return sent;
}

function differenceOf(slot: number, joinedAt: number, rid: number, known: Uint8Array, first = true): Message {
  const wanted = Buffer.of(255);
  return { type: MessageType.difference, rid, slot, joinedAt, first, buckets: 1, wanted, known };
}

describe('walks', () => {
  it('D2: however many differences a connection asks for, they cost the node a bounded piece of memory', async () => {
    const stage = stageWith(1);
    const link = new KeepingLink();
    const known = mostKnown();
    const before = bytesInUse();
    for (let rid = 1; rid <= slots; rid++) {
      stage.core.onRequest(link, differenceOf(rid % slots, 1, rid, known));
      expect(link.take(MessageType.copyBatch), 'it has begun').to.have.length(1);
    }
    // What is beside the heap is given back by a thread of its own, later.
    await until(() => bytesInUse() - before < 64 * mebibyte);
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

  it('M5: a learner, which may have been full before and has joined anew, gives nobody a copy', () => {
    const stage = stageWith(1);
    const link = new KeepingLink();
    stage.map([{ replicas: [2], learners: [self] }, { replicas: [self] }]);
    for (const [slot, answer] of [
      [0, MessageType.fenced],
      [1, MessageType.copyBatch],
    ] as const) {
      stage.core.onRequest(link, { type: MessageType.copy, rid: 1, slot, joinedAt: 1, first: true });
      expect(
        link.sent.splice(0).map(({ type }) => type),
        `slot ${slot}`,
      ).to.deep.equal([answer]);
    }
  });

  it('hundreds of scans on one connection go on side by side', () => {
    const stage = stageWith(keysPerSlot);
    const client = new KeepingLink();
    const scans = 400;
    let entries = 0;
    for (const first of [true, false]) {
      for (let scanId = 1; scanId <= scans; scanId++) {
        stage.core.onRequest(client, scanOf(0, scanId, '', first));
        stage.turn();
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
      stage.core.onRequest(client, scanOf(0, scanId, '', first));
      stage.turn();
      return client.sent.splice(0)[0]?.type;
    };
    const scans = 2000;
    for (let scanId = 1; scanId <= scans; scanId++) ask(scanId, true);
    expect(ask(1, false)).to.equal(MessageType.fenced);
    expect(ask(scans, false)).to.equal(MessageType.scanBatch);
  });

  it('R4: however many listings come at once, a turn looks at a bounded number of keys for them, and all come to their ends', () => {
    const stage = stageWith(keysPerSlot);
    const client = new KeepingLink();
    const scans = 400;
    for (let scanId = 1; scanId <= scans; scanId++)
      stage.core.onRequest(client, scanOf(0, scanId, 'no such key'));
    const perTurn = [client.sent.splice(0), ...turnsOf(stage, client)];
    for (const sent of perTurn) expect(sent).to.have.length.below(10);
    const answers = perTurn.flat();
    expect(answers.map(({ type }) => type)).to.deep.equal(answers.map(() => MessageType.scanBatch));
    expect(answers.map((answer) => 'rid' in answer && answer.rid)).to.deep.equal(
      Array.from({ length: scans }, (_, i) => i + 1),
    );
  });

  it('R4: nor more for questions for digests, differences and copies', () => {
    const stage = stageWith(keysPerSlot);
    const link = new KeepingLink();
    const fields = { slot: 0, first: true } as const;
    for (let joinedAt = 0; joinedAt < 100; joinedAt++) {
      // Each is a walk of its own: who asks may say when it joined.
      const asked = { rid: joinedAt, joinedAt: joinedAt % 2, ...fields };
      stage.core.onRequest(link, { type: MessageType.digestAsk, ...asked });
      stage.core.onRequest(link, { type: MessageType.copy, ...asked });
      stage.core.onRequest(link, differenceOf(0, asked.joinedAt, asked.rid, new Uint8Array(0)));
    }
    const perTurn = [link.sent.splice(0), ...turnsOf(stage, link)];
    for (const sent of perTurn) expect(sent).to.have.length.below(12);
    expect(perTurn.flat()).to.have.length(300);
  });

  it('M5: a learner waits for no more than one listing of each client, however many these have begun', () => {
    const stage = stageWith(keysPerSlot);
    const [client, learner] = [new KeepingLink(), new KeepingLink()];
    for (let scanId = 1; scanId <= 400; scanId++) stage.core.onRequest(client, scanOf(0, scanId, 'x'));
    stage.core.onRequest(learner, { type: MessageType.copy, rid: 1, slot: 0, joinedAt: 1, first: true });
    expect(learner.sent).to.have.length(0);
    stage.turn();
    expect(learner.take(MessageType.copyBatch)).to.have.length(1);
  });

  it('what waits goes with its connection, and is refused beyond a bound', () => {
    const stage = stageWith(keysPerSlot);
    const client = new KeepingLink();
    for (let scanId = 1; scanId <= 5000; scanId++) stage.core.onRequest(client, scanOf(0, scanId, 'x'));
    expect(client.take(MessageType.fenced)).to.have.length.within(800, 5000 - 4096);
    client.sent = [];
    stage.core.onLinkClosed(client);
    expect(turnsOf(stage, client).flat()).to.have.length(0);
    // There is room again.
    stage.core.onRequest(client, scanOf(0, 1, 'x'));
    expect(client.take(MessageType.scanBatch)).to.have.length(1);
  });

  it('what waits of thousands of clients takes no more memory than a bound; a learner is answered all the while', () => {
    const stage = stageWith(1);
    const links = Array.from({ length: 1000 }, () => Object.assign(new KeepingLink(), { isOfNode: false }));
    let answered = 0;
    for (const link of links) link.send = ({ type }) => (answered += type === MessageType.scanBatch ? 1 : 0);
    const before = bytesInUse();
    for (let scanId = 1; scanId <= 700; scanId++)
      for (const [n, link] of links.entries()) stage.core.onRequest(link, scanOf(n % slots, scanId, ''));
    expect((bytesInUse() - before) / mebibyte, 'MiB of requests that wait').to.be.below(50);
    const learner = new KeepingLink();
    stage.core.onRequest(learner, { type: MessageType.copy, rid: 1, slot: 0, joinedAt: 1, first: true });
    while (stage.turns.length > 0) stage.turn();
    expect(answered).to.be.within(60_000, 70_000);
    expect(learner.take(MessageType.copyBatch)).to.have.length(1);
  });

  it('of thousands of clients that begin listings and leave them alone each keeps its share', () => {
    const stage = stageWith(0);
    const writer = new KeepingLink();
    // So large that a batch has one of them, and no walk comes to its end.
    const value = Buffer.alloc(200_000);
    for (const key of ['@', '@@']) {
      const version = { hlc: stage.nowMs * 1000, clientId: 1, seq: 0, epoch: 0 };
      const fields = { epoch: 1, kind: WriteKind.plain, applied: null, expiresAtMs: 0, version };
      stage.core.onRequest(writer, { type: MessageType.write, rid: 1, key, value, ...fields });
      stage.core.onRequest(writer, { type: MessageType.validate, rid: 1 });
    }
    const ask = (link: KeepingLink, scanId: number, first: boolean): number | undefined => {
      stage.core.onRequest(link, scanOf(0, scanId, '', first));
      while (stage.turns.length > 0) stage.turn();
      return link.sent.splice(0)[0]?.type;
    };
    const links = Array.from({ length: 400 }, () => Object.assign(new KeepingLink(), { isOfNode: false }));
    const [one = new KeepingLink()] = links;
    for (let scanId = 1; scanId <= 180; scanId++) for (const link of links) ask(link, scanId, true);
    expect(ask(one, 1, false), 'beyond its share').to.equal(MessageType.fenced);
    expect(ask(one, 180, false)).to.equal(MessageType.scanBatch);
    for (const link of links.slice(1)) stage.core.onLinkClosed(link);
    for (let scanId = 1001; scanId <= 1800; scanId++) ask(one, scanId, true);
    expect(ask(one, 1001, false), 'there is room again').to.equal(MessageType.scanBatch);
  });

  it('a slot that is lost while a request waits is not read', () => {
    const stage = stageWith(keysPerSlot);
    const client = new KeepingLink();
    for (let scanId = 1; scanId <= 20; scanId++) stage.core.onRequest(client, scanOf(0, scanId, 'x'));
    client.sent = [];
    stage.map([{ replicas: [2] }, ...Array.from({ length: slots - 1 }, () => ({ replicas: [self] }))]);
    const answers = turnsOf(stage, client).flat();
    expect(answers).to.have.length.above(8);
    expect(new Set(answers.map(({ type }) => type))).to.deep.equal(new Set([MessageType.fenced]));
  });
});
