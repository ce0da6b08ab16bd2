// Test frameworks put fakes in the place of timers while a client is open in the same process, and take them away again.
import { expect } from 'chai';
import { performance } from 'node:perf_hooks';
import timers from 'node:timers';
import { setTimeout as pause } from 'node:timers/promises';
import type { GTStoreClient } from '../../src/client/index.js';
import { MessageType } from '../../src/protocol/messages.js';
import { SampledClock } from '../../src/transport/sampled-clock.js';
import { answerGet, clientOfNode } from '../support/client-of-peers.js';
import { failureOf } from '../support/store-error.js';
import { Peers } from '../support/transport-peers.js';

const peers = new Peers();
afterEach(() => peers.close());

/** To a get of any other key no answer comes. */
const answered = 'k';

function connected(): Promise<GTStoreClient> {
  return clientOfNode(peers, (connection, message) => {
    if (message.type === MessageType.get && message.key === answered)
      answerGet(connection, message, Uint8Array.of(1));
  });
}

/** As the frameworks do it: nothing that is asked of the fakes ever happens, and their clock stands still. */
async function underFakes(act: () => Promise<void>): Promise<void> {
  const never = (): object => ({ unref: () => undefined, refresh: () => undefined });
  const names = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate'];
  const fakes = Object.fromEntries(names.map((name) => [name, never]));
  const places: [object, Record<string, unknown>][] = [
    [globalThis, { ...fakes, queueMicrotask: never }],
    [timers, fakes],
    [performance, { now: () => 0 }],
  ];
  const before = places.map(([place, faked]) =>
    Object.keys(faked).map((name) => [name, Object.getOwnPropertyDescriptor(place, name)] as const),
  );
  for (const [place, faked] of places) {
    for (const [name, value] of Object.entries(faked))
      Object.defineProperty(place, name, { value, configurable: true, writable: true });
  }
  try {
    await act();
  } finally {
    for (const [i, [place]] of places.entries()) {
      for (const [name, descriptor] of before[i]!) {
        if (descriptor === undefined) Reflect.deleteProperty(place, name);
        else Object.defineProperty(place, name, descriptor);
      }
    }
  }
}

describe('a client beside fake timers', () => {
  const both = (client: GTStoreClient): Promise<unknown> =>
    Promise.race([Promise.all([client.get(answered), client.get(answered)]), pause(1000, 'nothing')]);

  it('serves, and its deadlines pass', async () => {
    await using client = await connected();
    await underFakes(async () => {
      expect(await both(client)).to.deep.equal([1, 1]);
      const late = client.get('other', { timeoutMs: 50 });
      late.catch(() => undefined);
      const error = await Promise.race([failureOf(late), pause(1000)]);
      expect(error?.code).to.equal('TIMEOUT');
    });
  });

  it('begins its session', async () => {
    await underFakes(async () => {
      await using client = await connected();
      expect(await both(client)).to.deep.equal([1, 1]);
    });
  });

  it('does not take a date that is set for a suspension of the host', () => {
    const clock = new SampledClock();
    const { Date } = globalThis;
    globalThis.Date = class extends Date {
      static override now(): number {
        return super.now() + 3_600_000;
      }
    } as DateConstructor;
    try {
      expect(clock.sample()).to.equal(false);
    } finally {
      globalThis.Date = Date;
    }
  });

  it('serves when they are gone', async () => {
    await using client = await connected();
    await underFakes(async () => {
      await both(client);
    });
    expect(await both(client)).to.deep.equal([1, 1]);
  });
});
