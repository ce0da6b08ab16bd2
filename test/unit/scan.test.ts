// Walks through the keys of a slot: replicas that fail, and callers that take their time.
import { expect } from 'chai';
import { scanSlot } from '../../src/client/scan.js';
import { walkEntries, type WalkSession } from '../../src/client/stored-entries.js';
import { GTStoreError } from '../../src/protocol/errors.js';
import { ClusterMap, newSlot } from '../../src/protocol/cluster-map.js';
import { type Entry, type Message, MessageType } from '../../src/protocol/messages.js';
import { defaultSettings } from '../../src/protocol/settings.js';
import type { Connection } from '../../src/transport/connection.js';
import { RequestTable } from '../../src/transport/requests.js';
import { errorOf } from '../support/store-error.js';
import { Peers, Recorder } from '../support/transport-peers.js';

const peers = new Peers();
afterEach(() => peers.close());

const timeoutMs = 10_000;

function entry(key: string): Entry {
  const version = { hlc: 1, clientId: 2, seq: 0, epoch: 1 };
  return { key, value: Uint8Array.of(1), version, valid: true, expiresAtMs: 0, applied: null };
}

type Answer = { readonly keys: readonly string[]; readonly done: boolean } | 'fenced' | 'silent';

/** A session with one slot at one node, which gives these answers in turn; the clock moves when told. */
class OnTable implements WalkSession {
  readonly requests = new RequestTable();
  readonly core: WalkSession['core'];
  isClosed = false;
  nowMs = 1000;
  mapsWanted = 0;
  readonly #connections: Connection[] = [];

  constructor(replicas = [0]) {
    const nodes = replicas.map((id) => ({ id, incarnation: 1, host: '127.0.0.1', port: 1 }));
    const settings = { ...defaultSettings, slotCount: 1 };
    const map = new ClusterMap({
      clusterId: 'table',
      epoch: 1,
      settings,
      nodes,
      slots: [newSlot(replicas, 1)],
    });
    this.core = { map, wantMap: () => (this.mapsWanted += 1) };
  }

  /** To the next replica. `onScan` is called with every request. */
  async connect(answers: Answer[], onScan?: () => void): Promise<void> {
    const node = new Recorder((connection, message) => {
      if (message.type !== MessageType.scan) return;
      onScan?.();
      const answer = answers.shift() ?? 'fenced';
      if (answer !== 'silent') connection.send(reply(message.rid, answer));
    });
    await this.connectTo(node);
  }

  async connectTo(node: Recorder): Promise<void> {
    const { port } = await peers.listen(node);
    const client = new Recorder((connection, message) => void this.requests.settle(connection, message));
    this.#connections.push(await peers.dial(port, client));
  }

  now(): number {
    return this.nowMs;
  }

  lifeClockUs(): number {
    return this.nowMs * 1000;
  }

  node(nodeId: number): Connection | undefined {
    return this.#connections[nodeId];
  }
}

function reply(rid: number, answer: Exclude<Answer, 'silent'>): Message {
  if (answer === 'fenced') return { type: MessageType.fenced, rid, epoch: 1, reason: 1 };
  return { type: MessageType.scanBatch, rid, done: answer.done, entries: answer.keys.map(entry) };
}

describe('a walk through a slot', () => {
  it('that breaks off begins again, and gives each key once', async () => {
    const session = new OnTable();
    await session.connect([{ keys: ['a', 'b'], done: false }, 'fenced', { keys: ['b', 'c'], done: true }]);
    const keys: string[] = [];
    for await (const { key } of scanSlot(session, 0, '', timeoutMs)) keys.push(key);
    expect(keys).to.deep.equal(['a', 'b', 'c']);
    expect(session.mapsWanted).to.equal(1);
  });

  it('is tried again, too, when the caller took longer over a batch than a replica may be silent', async () => {
    const session = new OnTable();
    await session.connect([{ keys: ['a'], done: false }, 'fenced', { keys: ['a', 'b'], done: true }]);
    const keys: string[] = [];
    for await (const { key } of scanSlot(session, 0, '', timeoutMs)) {
      keys.push(key);
      session.nowMs += 2 * timeoutMs;
    }
    expect(keys).to.deep.equal(['a', 'b']);
  });

  it('goes on elsewhere when the node that is read is taken off the map, whose connection is then dropped', async () => {
    const session = new OnTable([0, 1]);
    await session.connect(['silent'], () => session.node(0)?.close());
    await session.connect([{ keys: ['a'], done: true }]);
    const keys: string[] = [];
    for await (const { key } of scanSlot(session, 0, '', timeoutMs)) keys.push(key);
    expect(keys).to.deep.equal(['a']);
  });

  it('names the key of a value that no gtstore has stored, and gives its bytes all the same', async () => {
    const session = new OnTable();
    const node = new Recorder((connection, message) => {
      if (message.type !== MessageType.scan) return;
      const entries = [{ ...entry('gr\u00c3\u00bcn'), value: Uint8Array.of(0xc1) }];
      connection.send({ type: MessageType.scanBatch, rid: message.rid, done: true, entries });
    });
    await session.connectTo(node);
    const look = (): Promise<undefined> => Promise.resolve(undefined);
    for await (const stored of walkEntries(session, { prefix: '', timeoutMs, wantExpiry: true }, look)) {
      expect(stored.valueBytes).to.deep.equal(Uint8Array.of(0xc1));
      expect(() => stored.value).to.throw(GTStoreError, /^the value of 'grün' cannot be read: /);
      expect(() => stored.value)
        .to.throw()
        .with.property('code', 'PROTOCOL');
    }
  });

  it('is given up when its time is over, though the replica asked last might be silent for longer', async () => {
    const session = new OnTable([0, 1]);
    await session.connect(['fenced'], () => (session.nowMs += timeoutMs - 50));
    await session.connect(['silent'], () => setTimeout(() => (session.nowMs += 50), 50));
    const startedAtMs = performance.now();
    const error = await errorOf(() => scanSlot(session, 0, '', timeoutMs).next());
    expect(error.code).to.equal('UNAVAILABLE');
    // It would be waited for for two seconds.
    expect(performance.now() - startedAtMs).to.be.below(1000);
  });

  it('ends with CLOSED when the client is closed', async () => {
    const session = new OnTable([0, 1]);
    await session.connect(['silent'], () => {
      session.isClosed = true;
      session.requests.close();
    });
    const error: unknown = await scanSlot(session, 0, '', timeoutMs)
      .next()
      .catch((reason: unknown) => reason);
    expect(error).to.have.property('code', 'CLOSED');
  });

  it('goes on elsewhere within its deadline when a replica is silent, however short that is', async () => {
    const session = new OnTable([0, 1]);
    await session.connect(['silent', 'silent']);
    await session.connect([{ keys: ['a'], done: true }]);
    const startedAtMs = performance.now();
    const walk = scanSlot(session, 0, '', 600);
    expect((await walk.next()).value).to.have.property('key', 'a');
    expect(performance.now() - startedAtMs).to.be.below(600);
  });

  it('waits for a replica from which something comes', async () => {
    const session = new OnTable([0, 1]);
    let pings = 0;
    const chatty = (): void => {
      const timer = setInterval(() => {
        session.node(0)?.send({ type: MessageType.ping, rid: 7 });
        if (++pings < 20) return;
        clearInterval(timer);
        answer();
      }, 20);
    };
    let answer = (): void => undefined;
    const node = new Recorder((connection, message) => {
      if (message.type !== MessageType.scan) return;
      answer = () => {
        connection.send(reply(message.rid, { keys: ['a'], done: true }));
      };
      chatty();
    });
    await session.connectTo(node);
    await session.connect([{ keys: ['b'], done: true }]);
    const walk = scanSlot(session, 0, '', 600);
    expect((await walk.next()).value).to.have.property('key', 'a');
  });

  it('is given up when no replica has served for as long as it may', async () => {
    const session = new OnTable();
    await session.connect([{ keys: ['a'], done: false }]);
    session.core.wantMap = () => (session.nowMs += timeoutMs);
    const walk = scanSlot(session, 0, '', timeoutMs);
    expect((await walk.next()).value).to.have.property('key', 'a');
    expect(await walk.next().catch((error: unknown) => error)).to.have.property('code', 'UNAVAILABLE');
  });

  it('waits longer for a replica with each attempt, in case that all of them are slow', async () => {
    const session = new OnTable();
    const slow = new Recorder((connection, message) => {
      if (message.type !== MessageType.scan) return;
      const timer = setTimeout(() => {
        if (connection.isOpen) connection.send(reply(message.rid, { keys: ['a'], done: true }));
      }, 120);
      peers.atClose(() => {
        clearTimeout(timer);
      });
    });
    await session.connectTo(slow);
    session.core.wantMap = () => (session.nowMs += 20);
    // A third of that is less than the replica takes.
    const walk = scanSlot(session, 0, '', 240);
    expect((await walk.next()).value).to.have.property('key', 'a');
  });
});
