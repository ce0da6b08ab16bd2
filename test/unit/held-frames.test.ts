// Requests that are held back (ADR 24): in order, whole, and in little more memory than they are.
import { expect } from 'chai';
import { MessageType } from '../../src/protocol/messages.js';
import type { Message } from '../../src/protocol/messages.js';
import { Incoming } from '../../src/transport/incoming.js';
import { frameOf } from '../support/codec-messages.js';
import { greeting } from '../support/cluster-hostile.js';

/** Holds from each message on that it is given, if it is told to. */
class Stage {
  readonly rids: number[] = [];
  isHolding = true;
  readonly incoming = new Incoming({
    onGreeting: () => ({ frameBytesMax: 100_000, types: undefined }),
    onFrame: () => false,
    onMessage: (message: Message) => {
      if ('rid' in message) this.rids.push(message.rid);
      if (this.isHolding) this.incoming.hold();
    },
    onUnfinished: () => undefined,
  });

  constructor() {
    this.incoming.receive(greeting);
  }
}

const ping = (rid: number): Buffer => frameOf({ type: MessageType.ping, rid });
const query = (rid: number, keyBytes: number): Buffer =>
  frameOf({ type: MessageType.query, rid, key: 'k'.repeat(keyBytes) });

describe('frames that are held back', () => {
  it('are handed on in order when they are released, however often they are held again', () => {
    const stage = new Stage();
    const frames = [ping(1), query(2, 300), ping(3), query(4, 20_000), ping(5)].map((frame) =>
      Buffer.from(frame),
    );
    const bytes = Buffer.concat(frames);
    // The long one is cut, and comes from another buffer than the others.
    stage.incoming.receive(bytes.subarray(0, 5_000));
    expect(stage.rids).to.deep.equal([1]);
    stage.incoming.receive(bytes.subarray(5_000));
    expect(stage.rids).to.deep.equal([1]);
    expect(stage.incoming.release()).to.equal(false);
    expect(stage.rids).to.deep.equal([1, 2]);
    stage.isHolding = false;
    expect(stage.incoming.release()).to.equal(true);
    expect(stage.rids).to.deep.equal([1, 2, 3, 4, 5]);
  });

  it('take little more memory than they are, however small', () => {
    const chunk = Buffer.concat(Array.from({ length: 9000 }, () => Buffer.from(ping(1))));
    const stages = Array.from({ length: 100 }, () => new Stage());
    const held = (): number => process.memoryUsage().heapUsed + process.memoryUsage().external;
    const before = held();
    for (const { incoming } of stages) incoming.receive(chunk);
    const eachBytes = (held() - before) / stages.length;
    expect(stages[99]?.incoming.isHeld).to.equal(true);
    expect(eachBytes).to.be.below(3 * chunk.length);
  });
});
