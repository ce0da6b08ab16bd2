// Keys that no client lets anybody store: nobody could name them, and no backup could hold them.
import { expect } from 'chai';
import { ProtocolError } from '../../src/protocol/errors.js';
import { MessageType, WriteKind } from '../../src/protocol/messages.js';
import type { WriteMessage } from '../../src/protocol/messages.js';
import { areKeyBytes, toKeyBytes } from '../../src/protocol/partition.js';
import { KeyView } from '../../src/protocol/key-view.js';
import { KeepingLink, NodeOnTable, self } from '../support/node-core.js';

const good = ['k', toKeyBytes('gr\u00fcn'), toKeyBytes('\u{1f600}'), '\0', '\x7f'.repeat(200)];
/** Empty, cut off, no first byte, overlong, a surrogate. */
const bad = ['', '\xc3', 'a\xff', '\xbc', '\xc0\x80', '\xed\xa0\x80'];

function viewOf(key: string): KeyView {
  const view = new KeyView();
  view.bytes = Buffer.from(`..${key}..`, 'latin1');
  view.at = 2;
  view.length = key.length;
  return view;
}

function writeOf(stage: NodeOnTable, key: string, kind: WriteKind): WriteMessage {
  const version = { hlc: stage.nowMs * 1000, clientId: 1, seq: 0, epoch: 0 };
  const rest = { value: Buffer.of(1), expiresAtMs: 0, applied: null };
  return { type: MessageType.write, rid: 1, epoch: stage.core.membership.epoch, kind, version, key, ...rest };
}

function stageOf(): { stage: NodeOnTable; client: KeepingLink } {
  const stage = new NodeOnTable();
  stage.map([{ replicas: [self] }]);
  const client = new KeepingLink();
  client.isOfNode = false;
  return { stage, client };
}

describe('key bytes', () => {
  it('are UTF-8 and not empty, as a string and where they lie in a frame', () => {
    for (const key of good) expect([areKeyBytes(key), areKeyBytes(viewOf(key))]).to.deep.equal([true, true]);
    for (const key of bad) expect([areKeyBytes(key), areKeyBytes(viewOf(key))]).to.deep.equal([false, false]);
  });

  for (const kind of [WriteKind.plain, WriteKind.replay, WriteKind.conditional]) {
    it(`which are none end the connection of a client that WRITEs them, kind ${kind}`, () => {
      const { stage, client } = stageOf();
      for (const key of bad) {
        expect(() => {
          stage.core.onRequest(client, writeOf(stage, key, kind));
        }).to.throw(ProtocolError, 'a key that is empty, or no UTF-8');
      }
      for (const key of good) stage.core.onRequest(client, writeOf(stage, key, kind));
      expect(client.take(MessageType.ack)).to.have.length(good.length);
      expect(stage.store.keys).to.equal(good.length);
    });
  }

  it('which are none end the connection of one that has a condition for them', () => {
    const { stage, client } = stageOf();
    const { epoch } = stage.core.membership;
    const condition = (key: string): void => {
      stage.core.onRequest(client, {
        ...{ type: MessageType.condition, rid: 2, epoch, opClientId: 5, opNumber: 1, retried: false },
        ...{ wants: 0, expectAbsent: true, expected: { hlc: 0, clientId: 0, seq: 0, epoch: 0 } },
        ...{ key, value: Buffer.of(1), expiresAtMs: 0 },
      });
    };
    for (const key of bad) {
      expect(() => {
        condition(key);
      }).to.throw(ProtocolError, /no UTF-8/);
    }
    expect(stage.store.keys).to.equal(0);
    condition('k');
    expect(client.take(MessageType.conditionResult)).to.have.length(1);
  });

  it('which are none, stored before this was so, are settled among nodes', () => {
    const { stage } = stageOf();
    const fellow = new KeepingLink();
    stage.core.onRequest(fellow, writeOf(stage, '\xff', WriteKind.replay));
    expect(fellow.take(MessageType.ack)).to.have.length(1);
  });
});
