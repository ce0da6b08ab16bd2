// How a client learns the cluster's clock (PROTOCOL W1).
import { expect } from 'chai';
import { Session } from '../../src/client/session.js';
import { MessageType, PeerRole } from '../../src/protocol/messages.js';
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

describe("W1: the cluster's clock as a client knows it", () => {
  const { now: wallNow } = Date;
  const peers = new Peers();
  let session: Session;
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
    session.close();
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
    session.now();
    return (session.lifeClockUs() - aheadUs) / 1000 - performance.now();
  }

  it('is learnt anew when the own host has been suspended', async () => {
    await open();
    expect(errorMs()).to.be.closeTo(0, 200);
    // As if the monotonic clock had stood still for an hour.
    aheadUs = 3_600_000_000;
    Date.now = () => wallNow() + 3_600_000;
    errorMs();
    await until(() => dials === 2 && session.manager !== undefined);
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

  it('is not taken from a greeting that may be old', async () => {
    greetingMs = [1200];
    await open();
    expect(dials).to.equal(2);
    expect(errorMs()).to.be.closeTo(0, 200);
  });
});
