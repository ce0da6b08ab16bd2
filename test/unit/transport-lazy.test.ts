// Messages that wait for company (PROTOCOL W9).
import { expect } from 'chai';
import { endOfTurn, getOf, Peers, Recorder } from '../support/transport-peers.js';
import { until } from '../support/until.js';

const peers = new Peers();
afterEach(() => peers.close());

/** Longer than what goes on meanwhile takes. */
const patienceMs = 100;

describe('connection, lazy messages', () => {
  it('lazy messages go with the next send, in its write', async () => {
    const server = new Recorder();
    const { port } = await peers.listen(server);
    const connection = await peers.dial(port, new Recorder());
    const before = connection.socketWrites;
    connection.sendLazily(getOf(1), 1);
    connection.send(getOf(2));
    await until(() => server.messages.length === 2);
    expect(server.rids).to.deep.equal([1, 2]);
    expect(connection.socketWrites).to.equal(before + 1);
  });

  it('lazy messages leave by themselves within a few milliseconds, time after time', async () => {
    const server = new Recorder();
    const { port } = await peers.listen(server);
    const connection = await peers.dial(port, new Recorder());
    for (let rid = 1; rid <= 5; rid++) {
      const sentAtMs = performance.now();
      connection.sendLazily(getOf(rid), 1);
      await endOfTurn();
      await until(() => server.messages.length === rid);
      expect(performance.now() - sentAtMs).to.be.lessThan(100);
    }
  });

  it('each lazy message has its own time: neither a shorter one elsewhere nor one that has left before cuts it short', async () => {
    const [near, far] = [new Recorder(), new Recorder()];
    const impatient = await peers.dial((await peers.listen(near)).port, new Recorder());
    const patient = await peers.dial((await peers.listen(far)).port, new Recorder());
    const beganAtMs = performance.now();
    patient.sendLazily(getOf(1), patienceMs);
    impatient.sendLazily(getOf(1), 1);
    await until(() => near.messages.length === 1 && performance.now() - beganAtMs > 0.7 * patienceMs);
    expect(far.messages.length).to.equal(0);
    patient.send(getOf(2));
    await until(() => far.messages.length === 2);
    const before = patient.socketWrites;
    const sentAtMs = performance.now();
    patient.sendLazily(getOf(3), patienceMs);
    await until(() => far.messages.length === 3);
    // A tick of the timer may come somewhat early.
    expect(performance.now() - sentAtMs).to.be.greaterThan(patienceMs / 2);
    expect(patient.socketWrites).to.equal(before + 1);
    const longer = patient.socketWrites;
    patient.sendLazily(getOf(4), 10_000);
    patient.sendLazily(getOf(5), patienceMs);
    patient.sendLazily(getOf(6), 1);
    const hastenedAtMs = performance.now();
    await until(() => patient.socketWrites > longer);
    expect(performance.now() - hastenedAtMs).to.be.lessThan(5 * patienceMs);
    await until(() => far.messages.length === 6);
    expect(far.rids).to.deep.equal([1, 2, 3, 4, 5, 6]);
  });
});
