// Requests of which a part has come wait in memory: all together are bounded (ADR 24).
import { expect } from 'chai';
import { Incoming } from '../../src/transport/incoming.js';
import type { SlowClient } from '../../src/transport/slow-clients.js';
import { SlowSenders } from '../../src/transport/slow-senders.js';
import { MessageType } from '../../src/protocol/messages.js';
import { frameOf } from '../support/codec-messages.js';
import { greeting } from '../support/cluster-hostile.js';

describe('senders of requests that are not complete', () => {
  class Stage {
    nowMs = 0;
    readonly cutOff: string[] = [];
    readonly senders: SlowSenders;

    constructor(roomBytes: number) {
      this.senders = new SlowSenders(
        () => roomBytes,
        () => this.nowMs,
      );
    }

    sender(remote: string): SlowClient {
      return { remote, destroy: () => this.cutOff.push(remote) };
    }
  }

  it('are cut off by their pace when there is no room, not by their age; those that hold little never', () => {
    const stage = new Stage(1000);
    const [slow, stuck, small, quick] = ['slow', 'stuck', 'small', 'quick'].map((name) => stage.sender(name));
    if (!slow || !stuck || !small || !quick) throw new Error('four of them');
    stage.senders.note(small, 1);
    stage.senders.note(slow, 100);
    stage.nowMs = 100;
    stage.senders.note(stuck, 300);
    stage.nowMs = 10_000;
    stage.senders.note(slow, 500);
    stage.senders.note(quick, 200);
    expect(stage.cutOff).to.deep.equal(['stuck']);
    stage.senders.note(quick, 499);
    expect(stage.cutOff, 'there is room').to.deep.equal(['stuck']);
    stage.senders.note(quick, 0);
    stage.senders.note(slow, 0);
    stage.senders.note(quick, 999);
    expect(stage.cutOff, 'what is complete counts no more').to.deep.equal(['stuck']);
  });

  it('are told of as long as a request is not complete: each by itself, and none once the connection has ended', () => {
    const told: number[] = [];
    const incoming = new Incoming({
      onGreeting: () => ({ frameBytesMax: 100_000, types: undefined }),
      onFrame: () => true,
      onMessage: () => undefined,
      onUnfinished: (bytes) => told.push(bytes),
    });
    const put = (): Buffer =>
      frameOf({ type: MessageType.value, rid: 1, present: true, version, value: new Uint8Array(1000) });
    const version = { hlc: 1, clientId: 1, seq: 0, epoch: 0 };
    incoming.receive(greeting);
    incoming.receive(put());
    expect(told, 'whole ones').to.deep.equal([]);
    incoming.receive(put().subarray(0, 500));
    expect(told.splice(0)).to.have.length(1);
    incoming.receive(put().subarray(500, 502));
    expect(told.splice(0).every((bytes) => bytes > 0)).to.equal(true);
    incoming.receive(Buffer.concat([put().subarray(502), put().subarray(0, 900)]));
    expect(told.splice(0).map((bytes) => bytes > 0)).to.deep.equal([false, true]);
    incoming.receive(put().subarray(900));
    expect(told.splice(0)).to.deep.equal([0]);
    incoming.receive(put().subarray(0, 500));
    incoming.stop();
    expect(told.at(-1)).to.equal(0);
  });
});
