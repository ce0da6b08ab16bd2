// How a client learns the cluster's clock (PROTOCOL W1).
import { expect } from 'chai';
import { LearntClock } from '../../src/client/learnt-clock.js';
import { NodeClocks } from '../../src/client/node-clocks.js';
import { Session } from '../../src/client/session.js';
import { GTStoreClient } from '../../src/client/index.js';
import type { ClusterMapData } from '../../src/protocol/cluster-map.js';
import { ClusterMap, newSlot } from '../../src/protocol/cluster-map.js';
import type { WriteMessage } from '../../src/protocol/messages.js';
import { MessageType, PeerRole } from '../../src/protocol/messages.js';
import { newHello } from '../../src/transport/handshake.js';
import { defaultSettings } from '../../src/protocol/settings.js';
import { Peers, Recorder, welcome } from '../support/transport-peers.js';
import { until } from '../support/until.js';

const nothing = (): void => undefined;
const listener = { mapAdopted: nothing, nodeDown: nothing, nodeUp: nothing, trouble: nothing };
const map = {
  clusterId: 'c',
  epoch: 1,
  settings: { ...defaultSettings, slotCount: 1 },
  nodes: [],
  slots: [{ replicas: [], learners: [], joinedAt: [], changedAt: 1 }],
};

/** A node that acknowledges every write, and keeps them. */
async function nodeThatSays(
  peers: Peers,
  clockUs: () => number,
): Promise<{ port: number; writes: WriteMessage[] }> {
  const writes: WriteMessage[] = [];
  const node = new Recorder((connection, message) => {
    if (message.type !== MessageType.write) return;
    writes.push(message);
    connection.send({ type: MessageType.ack, rid: message.rid });
  });
  const onHello = (): typeof welcome => ({ ...welcome, clusterId: 'c', clockUs: Math.floor(clockUs()) });
  const { port } = await peers.listen(node, { onHello });
  return { port, writes };
}

function mapWith(port: number): ClusterMapData {
  return { ...map, nodes: [{ id: 1, incarnation: 1, host: '127.0.0.1', port }], slots: [newSlot([1], 1)] };
}

describe("W1: the cluster's clock as a client knows it", () => {
  const { now: wallNow } = Date;
  const peers = new Peers();
  let session: Session | undefined;
  let dials: number;
  let greetingMs: number[];
  /** The manager's clock is ahead of the client's by so much. */
  let aheadUs: number;

  beforeEach(() => {
    dials = 0;
    greetingMs = [];
    aheadUs = 0;
  });
  afterEach(async () => {
    Date.now = wallNow;
    session?.close();
    await peers.close();
  });

  async function open(): Promise<void> {
    const onHello = (): typeof welcome => {
      dials++;
      const clockUs = performance.now() * 1000 + aheadUs;
      const endMs = performance.now() + (greetingMs.shift() ?? 0);
      while (performance.now() < endMs);
      return { ...welcome, role: PeerRole.manager, clusterId: 'c', clockUs: Math.floor(clockUs) };
    };
    const manager = new Recorder((connection, message) => {
      if (message.type === MessageType.getMap) connection.send({ type: MessageType.map, rid: 0, map });
    });
    const { port } = await peers.listen(manager, { onHello });
    const managers = [{ host: '127.0.0.1', port }];
    session = new Session(
      { managers, readFrom: 'primary', localAddress: undefined, inFlightMax: undefined },
      listener,
    );
    await session.open(10_000);
  }

  /** Milliseconds by which its estimate is off. */
  function errorMs(): number {
    session?.now();
    return ((session?.lifeClockUs() ?? 0) - aheadUs) / 1000 - performance.now();
  }

  it('is learnt anew when the own host has been suspended', async () => {
    await open();
    expect(errorMs()).to.be.closeTo(0, 200);
    // As if the monotonic clock had stood still for an hour.
    aheadUs = 3_600_000_000;
    Date.now = () => wallNow() + 3_600_000;
    errorMs();
    await until(() => dials === 2 && session?.manager !== undefined);
    // It goes on as if it had stood still no more.
    Date.now = wallNow;
    expect(errorMs()).to.be.closeTo(0, 200);
  });

  it('W11: lets values live as long as was asked, too, before it is learnt anew', async () => {
    await open();
    aheadUs = 3_600_000_000;
    Date.now = () => wallNow() + 3_600_000;
    expect(errorMs()).to.be.closeTo(0, 200);
    expect(dials).to.equal(1);
  });

  /** Its host sleeps for so long. */
  function sleep(ms: number): void {
    const before = Date.now;
    Date.now = () => before() + ms;
    aheadUs += ms * 1000;
  }

  it('W10: is known before the first put after a suspension begins, and so is when its value expires', async () => {
    const clusterMs = (): number => performance.now() + aheadUs / 1000;
    const { port: nodePort, writes } = await nodeThatSays(peers, () => 0);
    const manager = new Recorder((connection, message) => {
      if (message.type === MessageType.getMap)
        connection.send({ type: MessageType.map, rid: 0, map: mapWith(nodePort) });
    });
    const onHello = (): typeof welcome => {
      return { ...welcome, role: PeerRole.manager, clusterId: 'c', clockUs: Math.floor(clusterMs() * 1000) };
    };
    const { port } = await peers.listen(manager, { onHello });
    await using store = new GTStoreClient({ manager: `127.0.0.1:${port}` });
    await store.init();
    sleep(180_000);
    const atMs = clusterMs();
    await store.put('k', 1, { ttlMs: 120_000 });
    expect(writes[0]?.version.hlc).to.be.closeTo(1000 * atMs, 1_000_000);
    expect(writes[0]?.expiresAtMs).to.be.closeTo(atMs + 120_000, 1000);
  });

  for (const sleptMs of [600_000, 5000]) {
    it(`is told by a node that is sure of it while the manager is away, after ${sleptMs / 1000} s`, async () => {
      const clusterMs = (): number => performance.now() + aheadUs / 1000;
      let answers = 0;
      // In doubt itself at first.
      const tell = (): number => (answers++ < 3 ? 0 : clusterMs() * 1000);
      const { port: nodePort, writes } = await nodeThatSays(peers, tell);
      const manager = new Recorder((connection, message) => {
        if (message.type === MessageType.getMap)
          connection.send({ type: MessageType.map, rid: 0, map: mapWith(nodePort) });
      });
      const onHello = (): typeof welcome => {
        return {
          ...welcome,
          role: PeerRole.manager,
          clusterId: 'c',
          clockUs: Math.floor(clusterMs() * 1000),
        };
      };
      const listener = await peers.listen(manager, { onHello });
      await using store = new GTStoreClient({ manager: `127.0.0.1:${listener.port}` });
      await store.init();
      await listener.close();
      sleep(sleptMs);
      const atMs = clusterMs();
      await store.put('k', 1);
      expect(writes[0]?.version.hlc).to.be.closeTo(1000 * atMs, 2_000_000);
    });
  }

  it('a put says so when nobody has told it', async () => {
    const { port: nodePort, writes } = await nodeThatSays(peers, () => 0);
    const manager = new Recorder((connection, message) => {
      if (message.type === MessageType.getMap)
        connection.send({ type: MessageType.map, rid: 0, map: mapWith(nodePort) });
    });
    const onHello = (): typeof welcome => ({ ...welcome, role: PeerRole.manager, clusterId: 'c' });
    const listener = await peers.listen(manager, { onHello });
    await using store = new GTStoreClient({ manager: `127.0.0.1:${listener.port}` });
    await store.init();
    await listener.close();
    sleep(60_000);
    const error: unknown = await store.put('k', 1, { timeoutMs: 200 }).catch((reason: unknown) => reason);
    expect(error).to.include({ code: 'UNAVAILABLE', outcome: 'not-applied', retryable: true });
    expect(String(error)).to.match(/this host was suspended/);
    expect(writes).to.have.length(0);
  });

  it('is told by a node after each suspension anew', async () => {
    const { port } = await nodeThatSays(peers, () => performance.now() * 1000 + aheadUs);
    const clock = new LearntClock({ suspended: nothing, learnt: nothing, stale: nothing });
    const nodeClocks = new NodeClocks({
      clock,
      map: () => new ClusterMap(mapWith(port)),
      hello: () => newHello(PeerRole.client),
      localAddress: undefined,
    });
    clock.learn(0);
    for (const sleptMs of [600_000, 5000]) {
      sleep(sleptMs);
      clock.sample();
      await nodeClocks.ask();
      expect(clock.isDoubtful, `after ${sleptMs} ms`).to.equal(false);
      expect(clock.clockUs).to.be.closeTo(performance.now() * 1000 + aheadUs, 1e6);
    }
  });

  it('is not taken from a greeting that may be old', async () => {
    greetingMs = [1200];
    await open();
    expect(dials).to.equal(2);
    expect(errorMs()).to.be.closeTo(0, 200);
  });

  it('is taken from greetings that take long, where all of them do; from none of before a suspension', () => {
    const clock = new LearntClock({ suspended: nothing, learnt: nothing, stale: nothing });
    const isTaken = (ageMs: number): boolean =>
      clock.offsetOf(5e9, { ...clock.asks(), atMs: clock.nowMs - ageMs }) !== null;
    expect([1500, 1500, 1500, 1500].map(isTaken)).to.deep.equal([false, false, true, true]);
    // One that came in time: the next that takes long is an exception again.
    expect([10, 1500, 1500, 1500].map(isTaken)).to.deep.equal([true, false, false, true]);
    const asked = clock.asks();
    sleep(3_600_000);
    expect(clock.offsetOf(5e9, asked)).to.equal(null);
  });

  it('is in doubt after a suspension until it has been told, and no longer', () => {
    const told: string[] = [];
    const learnt = (): number => told.push('learnt');
    const suspended = (ms: number): number => told.push(`suspended for ${Math.round(ms / 1000)} s`);
    const clock = new LearntClock({ suspended, learnt, stale: nothing });
    clock.learn(0);
    for (const n of [1, 2]) {
      expect(clock.isDoubtful).to.equal(false);
      sleep(n * 5000);
      clock.sample();
      expect(clock.isDoubtful).to.equal(true);
      clock.learn(0);
    }
    clock.learn(0);
    expect(told).to.deep.equal(['suspended for 5 s', 'learnt', 'suspended for 10 s', 'learnt']);
  });

  it('W10: is asked for again now and then, of the manager or else of a node: clocks drift apart', async () => {
    const told = { manager: 5e9, node: 7e9 };
    const onHello = (role: PeerRole, clockUs: number) => (): typeof welcome => ({
      ...welcome,
      role,
      clusterId: 'c',
      clockUs,
    });
    const nobody = new Recorder();
    const node = await peers.listen(nobody, { onHello: onHello(PeerRole.node, told.node) });
    const manager = await peers.listen(nobody, { onHello: onHello(PeerRole.manager, told.manager) });
    let staleCount = 0;
    const nothing = (): void => undefined;
    const stale = (): number => staleCount++;
    const clock = new LearntClock({ suspended: nothing, learnt: nothing, stale }, 50);
    const nodeClocks = new NodeClocks({
      clock,
      map: () => new ClusterMap(mapWith(node.port)),
      hello: () => newHello(PeerRole.client),
      localAddress: undefined,
    });
    const atMs = performance.now();
    await until(() => (clock.sample(), performance.now() - atMs > 80));
    expect(staleCount, 'once for so long').to.equal(1);
    const address = { host: '127.0.0.1', port: manager.port };
    await nodeClocks.refresh([address]);
    expect(clock.clockUs).to.be.closeTo(told.manager, 1e6);
    await manager.close();
    await nodeClocks.refresh([address]);
    expect(clock.clockUs).to.be.closeTo(told.node, 1e6);
    nodeClocks.stop();
    await nodeClocks.refresh([address]);
  });
});
