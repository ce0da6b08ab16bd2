import { expect } from 'chai';
import { getEventListeners } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { GTStoreError } from '../../src/protocol/errors.js';
import { MessageType, PeerRole, protocolVersion } from '../../src/protocol/messages.js';
import type { HelloMessage } from '../../src/protocol/messages.js';
import { dial } from '../../src/transport/dialer.js';
import { newError, newHello } from '../../src/transport/handshake.js';
import { listen, ListenError } from '../../src/transport/listener.js';
import {
  encode,
  endOfTurn,
  getOf,
  hello,
  Peers,
  Recorder,
  valueOf,
  welcome,
} from '../support/transport-peers.js';
import { until } from '../support/until.js';

const T = MessageType;
const peers = new Peers();
afterEach(() => peers.close());

/** What a promise is rejected with. */
async function errorOf(promise: Promise<unknown>): Promise<GTStoreError> {
  try {
    await promise;
  } catch (error) {
    expect(error).to.be.instanceOf(GTStoreError);
    return error as GTStoreError;
  }
  throw new Error('it was fulfilled');
}

describe('handshake', () => {
  it('the listener decides with the HELLO before it, and both know each other then', async () => {
    const hellos: HelloMessage[] = [];
    const server = new Recorder();
    const { port } = await peers.listen(server, {
      onHello: (message, connection) => {
        hellos.push(message);
        expect(connection.isOpen).to.be.false;
        return { ...welcome, senderId: 42 };
      },
    });
    const mine = newHello(PeerRole.node, { clusterId: 'test', senderId: 3, incarnation: 9 });
    const client = new Recorder();
    const connection = await peers.dial(port, client, { hello: mine });
    expect(hellos).to.deep.equal([mine]);
    expect(connection.peer).to.have.property('senderId', 42);
    expect(client.opened).to.deep.equal([connection]);
    await until(() => server.opened.length === 1);
    expect(server.opened[0]!.peer).to.deep.equal(mine);
  });

  it('messages right behind the greeting are not lost, nor out of order', async () => {
    const server = new Recorder();
    const { port } = await peers.listen(server);
    const raw = peers.rawClient(port);
    raw.send(hello, getOf(1), valueOf(2, 5000), getOf(3));
    await until(() => server.messages.length === 3);
    expect(server.rids).to.deep.equal([1, 2, 3]);
    const pushing = new Recorder();
    pushing.onOpen = (connection): void => {
      connection.send({ type: T.map, rid: 0, map: null });
    };
    const client = new Recorder();
    const { port: pushingPort } = await peers.listen(pushing);
    await peers.dial(pushingPort, client);
    await until(() => client.messages.length === 1);
  });

  it('a greeting may come byte by byte', async () => {
    const server = new Recorder();
    const { port } = await peers.listen(server);
    const raw = peers.rawClient(port);
    raw.socket.setNoDelay(true);
    for (const byte of encode(hello, getOf(1))) {
      raw.socket.write(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => server.messages.length === 1);
  });

  it('another protocol version is told both versions and what to do, whichever side is the older', async () => {
    const { port } = await peers.listen(new Recorder());
    for (const foreign of [protocolVersion - 1, protocolVersion + 1]) {
      const text = new RegExp(
        `protocol version ${foreign} from your side, ${protocolVersion} here: install the same version of gtstore on both`,
      );
      const theirs = { ...hello, protocolVersion: foreign };
      const error = await errorOf(peers.dial(port, new Recorder(), { hello: theirs }));
      expect(error.code).to.equal('PROTOCOL');
      expect(error.message).to.match(text);

      const server = await peers.rawServer((peer) => {
        peer.send({ ...welcome, protocolVersion: foreign });
      });
      const other = await errorOf(peers.dial(server.port, new Recorder()));
      expect(other.code).to.equal('PROTOCOL');
      expect(other.message).to.match(text);
      await until(() => server.peers[0]!.messages.some((message) => message.type === T.error));
    }
  });

  it('a socket that has been connected to itself is a failed dial, and leaves the port free', async () => {
    const { port } = await peers.silentServer();
    await peers.close();
    const error = await errorOf(
      peers.dial(port, new Recorder(), { localAddress: '127.0.0.1', localPort: port }),
    );
    expect(error.code).to.equal('UNAVAILABLE');
    expect(error.message).to.equal(`cannot connect to 127.0.0.1:${port}: nobody listens there`);
    await peers.listen(new Recorder(), { port });
    await peers.dial(port, new Recorder());
  });

  it('the ERROR of a listener that does not want the peer is what the dialler is told', async () => {
    const refused: string[] = [];
    const { port } = await peers.listen(new Recorder(), {
      onHello: () => newError('UNAUTHENTICATED', 'who are you?'),
      onRefused: (_remote, { code }) => refused.push(code),
    });
    const client = new Recorder();
    const error = await errorOf(peers.dial(port, client));
    expect(error.code).to.equal('UNAUTHENTICATED');
    expect(error.message).to.match(/cannot connect to 127\.0\.0\.1:\d+: who are you\?/);
    expect(client.closed, 'never open, never closed').to.deep.equal([]);
    await until(() => refused.length === 1);
    expect(refused).to.deep.equal(['handshake']);
  });

  const strange: [what: string, bytes: Buffer, text: RegExp][] = [
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n'), /a frame of 1195725856 bytes/],
    [
      'a frame of more than 1 KiB',
      encode({ ...getOf(1), key: 'k'.repeat(1100) } as never),
      /the limit is 1024/,
    ],
    ['another message', encode(getOf(1)), /message type 6 before HELLO/],
    ['a WELCOME', encode(welcome), /message type 21 before HELLO/],
    ['random bytes', Buffer.from([0, 0, 0, 3, 0xff, 0xfe, 0xfd]), /expected an array/],
  ];
  for (const [what, bytes, text] of strange) {
    it(`${what} first: one ERROR, closed at once, others untouched`, async () => {
      const server = new Recorder();
      const { port } = await peers.listen(server);
      const good = await peers.dial(port, new Recorder());
      const raw = peers.rawClient(port);
      raw.socket.write(bytes);
      await until(() => raw.closed);
      expect(raw.messages).to.have.length(1);
      expect(raw.messages[0]).to.have.property('text').that.matches(text);
      expect(server.closed).to.deep.equal([]);
      good.send(getOf(1));
      await until(() => server.messages.length === 1);
    });
  }

  it('who says nothing is told so and closed when its time is up', async () => {
    const refused: string[] = [];
    const { port } = await peers.listen(new Recorder(), {
      handshakeMsMax: 150,
      onRefused: (_remote, { text }) => refused.push(text),
    });
    const raw = peers.rawClient(port);
    const since = performance.now();
    await until(() => raw.closed);
    expect(performance.now() - since).to.be.greaterThan(100);
    expect(raw.messages[0]).to.have.property('text', 'no HELLO within 150 ms');
    // PROTOCOL would be final: clients give up at that, and nodes end.
    expect(raw.messages[0]).to.have.property('code', 'UNAVAILABLE');
    expect(refused[0]).to.match(/no HELLO within 150 ms/);
  });

  it('who says HELLO too slowly is out of time, too', async () => {
    const { port } = await peers.listen(new Recorder(), { handshakeMsMax: 150 });
    const raw = peers.rawClient(port);
    await until(async () => {
      raw.socket.write(encode(hello).subarray(0, 1));
      return raw.closed;
    });
  });

  describe('a dial that fails says why', () => {
    it('nobody listens', async () => {
      const { port } = await peers.rawServer(() => {});
      await peers.close();
      const error = await errorOf(peers.dial(port, new Recorder()));
      expect(error.code).to.equal('UNAVAILABLE');
      expect(error.retryable).to.be.true;
      expect(error.message).to.match(/ECONNREFUSED/);
    });

    it('nobody answers', async () => {
      const server = await peers.rawServer(() => {});
      const error = await errorOf(peers.dial(server.port, new Recorder(), { timeoutMs: 50 }));
      expect(error.code).to.equal('UNAVAILABLE');
      expect(error.message).to.match(/no answer within 50 ms/);
      await until(() => server.peers[0]!.closed);
    });

    it('but not because this process was held up while the answer came', async () => {
      const { port } = await peers.listen(new Recorder());
      const dialled = peers.dial(port, new Recorder(), { timeoutMs: 500 });
      const heldUpUntilMs = performance.now() + 700;
      while (performance.now() < heldUpUntilMs);
      expect((await dialled).isOpen).to.be.true;
    });

    it('it hangs up at once', async () => {
      const server = await peers.rawServer((peer) => {
        peer.socket.end();
      });
      const error = await errorOf(peers.dial(server.port, new Recorder()));
      expect(error.code).to.equal('UNAVAILABLE');
      expect(error.message).to.match(/hung up/);
    });

    it('it is something else', async () => {
      const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const error = await errorOf(peers.dial((server.address() as AddressInfo).port, new Recorder()));
      server.close();
      expect(error.code).to.equal('PROTOCOL');
      expect(error.message).to.match(/a frame of 1213486160 bytes/);
    });

    it('it was aborted, before or meanwhile', async () => {
      const server = await peers.rawServer(() => {});
      const aborted = AbortSignal.abort(new Error('never mind'));
      const error = await errorOf(peers.dial(server.port, new Recorder(), { signal: aborted }));
      expect(error.code).to.equal('CLOSED');
      const controller = new AbortController();
      const promise = peers.dial(server.port, new Recorder(), { signal: controller.signal });
      await until(() => server.peers.length === 1);
      controller.abort();
      expect(await errorOf(promise)).to.have.property('code', 'CLOSED');
      await until(() => server.peers[0]!.closed);
    });
  });

  it('a dial that has ended no longer listens to its signal: an abort that comes then ends nothing', async () => {
    const { port } = await peers.listen(new Recorder());
    const rude = await peers.rawServer((peer) => {
      peer.socket.end();
    });
    const controller = new AbortController();
    const { signal } = controller;
    const connection = await peers.dial(port, new Recorder(), { signal });
    expect(await errorOf(peers.dial(rude.port, new Recorder(), { signal }))).to.include({
      code: 'UNAVAILABLE',
    });
    expect(getEventListeners(signal, 'abort')).to.deep.equal([]);
    controller.abort();
    await endOfTurn();
    expect(connection.isOpen).to.equal(true);
  });

  it('dials from the address it is told to', async function () {
    // Elsewhere the loopback interface has one address only, unless somebody gave it more.
    if (process.platform !== 'linux') this.skip();
    const server = new Recorder();
    const { port } = await peers.listen(server);
    await peers.dial(port, new Recorder(), { localAddress: '127.0.0.2' });
    await until(() => server.opened.length === 1);
    expect(server.opened[0]!.remote).to.match(/^127\.0\.0\.2:\d+$/);
  });

  describe('listener', () => {
    it('says what it listens on, and that an address is taken', async () => {
      const { host, port } = await peers.listen(new Recorder());
      expect(host).to.equal('127.0.0.1');
      expect(port).to.be.greaterThan(0);
      const again = listen({ host, port, handlers: new Recorder(), onHello: () => welcome });
      const error = await again.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).to.be.instanceOf(ListenError).with.property('code', 'EADDRINUSE');
      expect(error)
        .to.have.property('message')
        .that.matches(new RegExp(`${host}:${port}: the port is in use`));
    });

    it('refuses connections beyond its limit in so many words, and takes new ones when there is room', async () => {
      const server = new Recorder();
      const listener = await peers.listen(server, { connectionsMax: 2 });
      const first = await peers.dial(listener.port, new Recorder());
      await peers.dial(listener.port, new Recorder());
      const error = await errorOf(peers.dial(listener.port, new Recorder()));
      expect(error.code).to.equal('UNAVAILABLE');
      expect(error.message).to.match(/2 connections are open, as many as are allowed/);
      first.close();
      await until(() => listener.connections.size === 1);
      await peers.dial(listener.port, new Recorder());
    });

    it('cuts one that it has refused off after a moment, whatever that sends meanwhile', async () => {
      const listener = await peers.listen(new Recorder(), { connectionsMax: 1 });
      await peers.dial(listener.port, new Recorder());
      const socket = connect({ host: '127.0.0.1', port: listener.port, allowHalfOpen: true });
      socket.on('error', () => undefined).resume();
      await until(() => {
        if (!socket.closed) socket.write('x');
        return socket.closed;
      });
    });

    it('refuses them in so many words however many have been refused before', async () => {
      const listener = await peers.listen(new Recorder(), { connectionsMax: 1 });
      await peers.dial(listener.port, new Recorder());
      for (let n = 0; n < 70; n++) {
        const error = await errorOf(peers.dial(listener.port, new Recorder()));
        expect(error.message, `${n}`).to.match(/1 connections are open, as many as are allowed/);
      }
    });

    it('keeps 64 that are refused and do not hang up, no more, and its end waits for none of them', async () => {
      const listener = await peers.listen(new Recorder(), { connectionsMax: 1 });
      await peers.dial(listener.port, new Recorder());
      const raws = Array.from({ length: 70 }, () => peers.rawClient(listener.port, true));
      await until(() => raws.every(({ closed, socket }) => closed || socket.readableEnded));
      expect(raws.filter(({ messages }) => messages.length === 1)).to.have.length(64);
      const startedAtMs = performance.now();
      await listener.close();
      expect(performance.now() - startedAtMs).to.be.below(900);
    });

    it('close ends all connections, greeted or not, and resolves when they have gone', async () => {
      const server = new Recorder();
      const listener = await peers.listen(server);
      const clients = [new Recorder(), new Recorder()];
      for (const client of clients) await peers.dial(listener.port, client);
      const raw = peers.rawClient(listener.port);
      await until(() => listener.connections.size === 3);
      await listener.close('the node stops');
      expect(listener.connections.size).to.equal(0);
      expect(server.closed.map(({ text }) => text)).to.deep.equal(['the node stops', 'the node stops']);
      await until(() => raw.closed && clients.every(({ closed }) => closed[0]?.code === 'ended'));
      const error = await errorOf(
        dial({ host: '127.0.0.1', port: listener.port, hello, handlers: new Recorder() }),
      );
      expect(error.code).to.equal('UNAVAILABLE');
    });

    it('close does not wait for ever for a peer that does not hang up', async () => {
      const listener = await peers.listen(new Recorder());
      const raw = peers.rawClient(listener.port, true);
      raw.send(hello);
      await until(() => raw.messages.length === 1);
      await listener.close();
      expect(listener.connections.size).to.equal(0);
    });
  });
});
