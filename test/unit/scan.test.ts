// Walks through the keys of a slot: replicas that fail, and callers that take their time.
import { expect } from 'chai';
import { type ScanSession, scanSlot } from '../../src/client/scan.js';
import { ClusterMap, newSlot } from '../../src/protocol/cluster-map.js';
import { type Entry, type Message, MessageType } from '../../src/protocol/messages.js';
import { defaultSettings } from '../../src/protocol/settings.js';
import type { Connection } from '../../src/transport/connection.js';
import { RequestTable } from '../../src/transport/requests.js';
import { Peers, Recorder } from '../support/transport-peers.js';

const peers = new Peers();
afterEach(() => peers.close());

const timeoutMs = 10_000;

function entry(key: string): Entry {
  const version = { hlc: 1, clientId: 2, seq: 0, epoch: 1 };
  return { key, value: Uint8Array.of(1), version, valid: true, expiresAtMs: 0, applied: null };
}

type Answer = { readonly keys: readonly string[]; readonly done: boolean } | 'fenced';

/** A session with one slot at one node, which gives these answers in turn; the clock moves when told. */
class OnTable implements ScanSession {
  readonly requests = new RequestTable();
  readonly core: ScanSession['core'];
  readonly isClosed = false;
  nowMs = 1000;
  mapsWanted = 0;
  #connection: Connection | undefined;

  constructor() {
    const nodes = [{ id: 0, incarnation: 1, host: '127.0.0.1', port: 1 }];
    const settings = { ...defaultSettings, slotCount: 1 };
    const map = new ClusterMap({ clusterId: 'table', epoch: 1, settings, nodes, slots: [newSlot([0], 1)] });
    this.core = { map, wantMap: () => (this.mapsWanted += 1) };
  }

  async connect(answers: Answer[]): Promise<void> {
    const node = new Recorder((connection, message) => {
      if (message.type === MessageType.scan) connection.send(reply(message.rid, answers.shift() ?? 'fenced'));
    });
    const { port } = await peers.listen(node);
    const client = new Recorder((connection, message) => void this.requests.settle(connection, message));
    this.#connection = await peers.dial(port, client);
  }

  now(): number {
    return this.nowMs;
  }

  node(): Connection | undefined {
    return this.#connection;
  }
}

function reply(rid: number, answer: Answer): Message {
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

  it('is given up when no replica has served for as long as it may', async () => {
    const session = new OnTable();
    await session.connect([{ keys: ['a'], done: false }]);
    session.core.wantMap = () => (session.nowMs += timeoutMs);
    const walk = scanSlot(session, 0, '', timeoutMs);
    expect((await walk.next()).value).to.have.property('key', 'a');
    expect(await walk.next().catch((error: unknown) => error)).to.have.property('code', 'UNAVAILABLE');
  });
});
