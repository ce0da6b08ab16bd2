import { expect } from 'chai';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { MessageType } from '../../src/protocol/messages.js';
import { dialTimeoutMsDefault } from '../../src/transport/dialer.js';
import { resolveOptions } from '../../src/transport/options.js';
import { scanMs } from '../../src/transport/watch.js';
import { stretch } from '../support/cluster-until.js';
import { Peers, Recorder, valueOf, welcome } from '../support/transport-peers.js';
import { until } from '../support/until.js';

const peers = new Peers();
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await peers.close();
});

const quick = { heartbeatMs: 100, silenceMsMax: 400 };
/** A connection is told of time in scans, and so learns of a deadline that much late. The rest is for a busy machine. */
const scansMs = 2 * scanMs;
const busyMs = 1500;

/** A process that runs a module of ours until it is killed. `first` is what it says first. */
async function runModule(source: string): Promise<{ child: ChildProcess; first: string }> {
  const transport = new URL('../../src/transport/', import.meta.url).href;
  const child = spawn(
    process.execPath,
    ['--input-type=module', '-e', source.replaceAll('TRANSPORT/', transport)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      cwd: fileURLToPath(new URL('.', import.meta.url)),
    },
  );
  children.push(child);
  let first = '';
  child.stdout.on('data', (chunk: Buffer) => {
    first += chunk.toString();
  });
  await until(() => first.includes('\n') || child.exitCode !== null, {
    what: 'the first line of the process',
  });
  return { child, first: first.trim() };
}

const listeningModule = `
  import { listen } from 'TRANSPORT/listener.js';
  const handlers = { onMessage() {}, onClose() {} };
  const welcome = ${JSON.stringify(welcome)};
  const { port } = await listen({ host: '127.0.0.1', port: 0, handlers, onHello: () => welcome });
  console.log(port);
`;

describe('heart-beats', () => {
  it('keep an idle connection up, far beyond the silence that would end it', async () => {
    const server = new Recorder();
    const { port } = await peers.listen(server, quick);
    const client = new Recorder();
    const connection = await peers.dial(port, client, quick);
    const before = connection.bytesReceived;
    await until(() => connection.bytesReceived - before > 60, { timeoutMs: 10_000 });
    expect([...client.closed, ...server.closed]).to.deep.equal([]);
    expect([...client.messages, ...server.messages], 'and are nobody else’s business').to.deep.equal([]);
  });

  it('notice a peer that never answers, by its silence', async () => {
    const server = await peers.rawServer((peer) => {
      peer.send(welcome);
    });
    const client = new Recorder();
    await peers.dial(server.port, client, quick);
    const since = performance.now();
    await until(() => client.closed.length === 1);
    expect(client.closed[0]).to.include({ code: 'silent' });
    expect(client.closed[0]!.text).to.match(/nothing heard for 400 ms/);
    const elapsedMs = performance.now() - since;
    expect(elapsedMs).to.be.at.least(quick.silenceMsMax - 2 * scansMs);
    expect(elapsedMs).to.be.below(quick.silenceMsMax + scansMs + busyMs);
    expect(server.peers[0]!.messages.filter(({ type }) => type === MessageType.ping)).to.have.length(1);
  });

  it('notice a stopped process, although its system keeps the connection up', async () => {
    const { child, first } = await runModule(listeningModule);
    const client = new Recorder();
    await peers.dial(Number(first), client, quick);
    child.kill('SIGSTOP');
    const since = performance.now();
    await until(() => client.closed.length === 1);
    expect(client.closed[0]).to.include({ code: 'silent' });
    expect(performance.now() - since).to.be.below(quick.silenceMsMax + scansMs + busyMs);
  });

  it('a listener notices a silent client likewise', async () => {
    const server = new Recorder();
    const { port } = await peers.listen(server, quick);
    await peers.greetedRawClient(port);
    await until(() => server.closed.length === 1);
    expect(server.closed[0]).to.include({ code: 'silent' });
  });

  it('by default a listener waits for the dialler to ask first, and bears a longer silence and greeting', () => {
    const dialling = resolveOptions({});
    const accepting = resolveOptions({}, true);
    // A dialler asks, and is answered, up to two scans late.
    expect(accepting.heartbeatMs).to.be.above(dialling.heartbeatMs + 2 * scansMs);
    expect(accepting.silenceMsMax).to.be.above(2 * dialling.silenceMsMax);
    expect(accepting.handshakeMsMax).to.be.above(2 * dialTimeoutMsDefault);
    expect(resolveOptions(quick, true)).to.include(quick);
  });

  it('a process that was itself away does not take that for the silence of its peers', async () => {
    const { first } = await runModule(listeningModule);
    const client = new Recorder();
    const connection = await peers.dial(Number(first), client, { heartbeatMs: 100, silenceMsMax: 500 });
    for (let i = 0; i < 3; i++) {
      const before = connection.bytesReceived;
      const until1 = performance.now() + 700;
      while (performance.now() < until1);
      await until(() => connection.bytesReceived > before);
    }
    expect(client.closed).to.deep.equal([]);
  });

  it('a peer that takes our bytes slowly is alive, even if it says nothing', async () => {
    const server = await peers.rawServer((peer) => {
      peer.send(welcome);
      peer.socket.pause();
    });
    const client = new Recorder();
    const connection = await peers.dial(server.port, client, { ...quick, silenceMsMax: 600 });
    for (let i = 0; i < 12; i++) connection.send(valueOf(i, 4_000_000));
    const peer = server.peers[0]!;
    const since = performance.now();
    // Takes a little now and then, for a good deal longer than silence is borne with.
    while (performance.now() - since < 1500) {
      const { length } = peer.chunks;
      peer.socket.resume();
      await until(() => peer.chunks.length > length + 8 || peer.messages.length > 12);
      peer.socket.pause();
      await stretch(100);
    }
    expect(client.closed).to.deep.equal([]);
    expect(connection.bufferedBytes).to.be.greaterThan(0);
  });

  it('nothing keeps the process alive once all is closed', async () => {
    const { child, first } = await runModule(`
      import { listen } from 'TRANSPORT/listener.js';
      import { dial } from 'TRANSPORT/dialer.js';
      import { Redialler } from 'TRANSPORT/redialler.js';
      import { RequestTable } from 'TRANSPORT/requests.js';
      import { newHello } from 'TRANSPORT/handshake.js';
      const handlers = { onMessage() {}, onClose() {} };
      const welcome = ${JSON.stringify(welcome)};
      const listener = await listen({ host: '127.0.0.1', port: 0, handlers, onHello: () => welcome });
      const where = { host: '127.0.0.1', port: listener.port, handlers };
      const connection = await dial({ ...where, hello: newHello(0) });
      await new Promise((onUp) => {
        const redialler = new Redialler({ ...where, hello: () => newHello(0), onUp: () => onUp(redialler) });
      }).then((redialler) => redialler.stop());
      const failing = new Redialler({ ...where, port: 1, hello: () => newHello(0), onDialFailed: () => failing.stop() });
      const requests = new RequestTable();
      const request = requests.request(connection, (rid) => ({ type: ${MessageType.status}, rid }), 60_000);
      connection.sendLazily({ type: ${MessageType.ack}, rid: 1 }, 1);
      connection.close();
      await request.catch((error) => console.log(error.code));
      await listener.close();
    `);
    expect(first).to.equal('CLOSED');
    await until(() => child.exitCode !== null);
    expect(child.exitCode).to.equal(0);
  });
});
