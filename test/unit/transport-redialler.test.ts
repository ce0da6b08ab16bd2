import { expect } from 'chai';
import type { CloseReason } from '../../src/transport/close-reason.js';
import type { Connection } from '../../src/transport/connection.js';
import { Redialler } from '../../src/transport/redialler.js';
import type { RediallerOptions } from '../../src/transport/redialler.js';
import { getOf, hello, Peers, Recorder } from '../support/transport-peers.js';
import { keepingUncaught } from '../support/uncaught.js';
import { until } from '../support/until.js';

const peers = new Peers();
const rediallers: Redialler[] = [];
afterEach(async () => {
  for (const redialler of rediallers.splice(0)) redialler.stop();
  await peers.close();
});

interface Log {
  readonly ups: Connection[];
  readonly downs: CloseReason[];
  readonly failures: { readonly atMs: number; readonly code: string; readonly attempts: number }[];
}

function redial(port: number, options: Partial<RediallerOptions> = {}): { redialler: Redialler; log: Log } {
  const log: Log = { ups: [], downs: [], failures: [] };
  const redialler = new Redialler({
    host: '127.0.0.1',
    port,
    hello: () => hello,
    handlers: new Recorder(),
    onUp: (connection) => log.ups.push(connection),
    onDown: (reason) => log.downs.push(reason),
    onDialFailed: ({ code }, attempts) => log.failures.push({ atMs: performance.now(), code, attempts }),
    ...options,
  });
  rediallers.push(redialler);
  return { redialler, log };
}

async function freePort(): Promise<number> {
  const listener = await peers.listen(new Recorder());
  await listener.close();
  return listener.port;
}

describe('redialler', () => {
  it('keeps a connection up across the end of its peer', async () => {
    const server = new Recorder();
    const first = await peers.listen(server);
    const { redialler, log } = redial(first.port);
    await until(() => log.ups.length === 1);
    expect(redialler.connection).to.equal(log.ups[0]);
    await first.close();
    await until(() => log.downs.length === 1 && log.failures.length > 0);
    expect(redialler.connection).to.equal(undefined);
    await peers.listen(server, { port: first.port });
    await until(() => log.ups.length === 2);
    redialler.connection!.send(getOf(1));
    await until(() => server.messages.length === 1);
    expect(log.downs.map(({ code }) => code)).to.deep.equal(['ended']);
  });

  it('asks for its HELLO before each attempt', async () => {
    const port = await freePort();
    let asked = 0;
    const server = new Recorder();
    const { log } = redial(port, {
      hello: () => ({ ...hello, senderId: ++asked }),
    });
    await until(() => log.failures.length >= 2);
    await peers.listen(server, { port });
    await until(() => server.opened.length === 1);
    expect(server.opened[0]!.peer.senderId).to.equal(asked).and.greaterThan(2);
  });

  it('waits longer from failure to failure, up to a bound', async () => {
    const port = await freePort();
    const { log } = redial(port, { backoffMsMin: 4, backoffMsMax: 64, random: () => 0 });
    await until(() => log.failures.length >= 10);
    const gaps = log.failures.slice(1).map(({ atMs }, i) => atMs - log.failures[i]!.atMs);
    [4, 8, 16, 32, 64, 64].forEach((waitMs, i) => {
      // A timer may fire up to a millisecond early.
      expect(gaps[i]).to.be.at.least(waitMs - 1);
    });
    // Without a bound these would be 256 ms and more; one of them may be late.
    expect(Math.min(...gaps.slice(6))).to.be.below(200);
    expect(log.failures.map(({ attempts }) => attempts)).to.deep.equal(log.failures.map((_, i) => i + 1));
    expect(log.failures[0]!.code).to.equal('UNAVAILABLE');
  });

  it('cuts its waits at random, by up to a half', async () => {
    const port = await freePort();
    const { log } = redial(port, { backoffMsMin: 200, backoffMsMax: 200, random: () => 1 });
    await until(() => log.failures.length === 4);
    const gaps = log.failures.slice(1).map(({ atMs }, i) => atMs - log.failures[i]!.atMs);
    // One of them may be late.
    expect(Math.min(...gaps)).to.be.within(99, 190);
  });

  it('dials on, whatever those throw that it tells', async () => {
    await keepingUncaught(async (uncaught) => {
      const mistake = new Error('of who is told');
      let isFailing = true;
      const fail = (): void => {
        if (isFailing) throw mistake;
      };
      const server = new Recorder();
      const port = await freePort();
      redial(port, { onDialFailed: fail, onDown: fail });
      await until(() => uncaught.length === 2);
      await peers.listen(server, { port });
      await until(() => server.opened.length === 1);
      server.opened[0]!.destroy();
      await until(() => server.opened.length === 2);
      expect(new Set(uncaught)).to.deep.equal(new Set([mistake]));
      isFailing = false;
    });
  });

  it('kick dials now', async () => {
    const port = await freePort();
    const { redialler, log } = redial(port, { backoffMsMin: 60_000, backoffMsMax: 60_000 });
    await until(() => log.failures.length === 1);
    redialler.kick();
    await until(() => log.failures.length === 2);
    await peers.listen(new Recorder(), { port });
    redialler.kick();
    redialler.kick();
    await until(() => log.ups.length === 1);
    redialler.kick();
    expect(redialler.connection).to.equal(log.ups[0]);
  });

  it('stop ends the connection, and whatever is on its way', async () => {
    const server = new Recorder();
    const { port } = await peers.listen(server);
    const { redialler, log } = redial(port);
    await until(() => log.ups.length === 1);
    redialler.stop();
    await until(() => server.closed.length === 1 && log.downs.length === 1);
    expect(log.downs[0]).to.include({ code: 'closed' });

    const { redialler: early, log: earlyLog } = redial(port);
    early.stop();
    const { log: another } = redial(port);
    await until(() => another.ups.length === 1);
    expect(earlyLog).to.deep.equal({ ups: [], downs: [], failures: [] });
  });

  it('does not hammer a peer that lets it in and drops it at once', async () => {
    const server = new Recorder();
    server.onOpen = (connection): void => {
      connection.close();
    };
    const { port } = await peers.listen(server);
    const { log } = redial(port, { backoffMsMin: 5, backoffMsMax: 10_000, random: () => 0 });
    const since = performance.now();
    await until(() => log.downs.length === 5);
    expect(performance.now() - since).to.be.at.least(5 + 10 + 20 + 40 - 4);
  });
});
