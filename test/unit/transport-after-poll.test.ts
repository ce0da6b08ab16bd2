import { once } from 'node:events';
import { createServer, connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { expect } from 'chai';
import { AfterPollTimer } from '../../src/transport/after-poll.js';

/** As if the process were stopped. */
function standStill(forMs: number): void {
  const endMs = performance.now() + forMs;
  while (performance.now() < endMs);
}

describe('a timer that acts after the poll phase', () => {
  it('finds read what came while the process stood still, and stops for good', async () => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    const [far] = await accepted;

    const happened: string[] = [];
    const acted = new Promise<void>((resolve) => {
      const timer = new AfterPollTimer(5, () => {
        happened.push('timer');
        timer.stop();
        resolve();
      });
      socket.on('data', () => happened.push('data'));
      far.write('answer');
      standStill(50);
    });
    await acted;
    expect(happened).to.deep.equal(['data', 'timer']);
    socket.destroy();
    far.destroy();
    server.close();
  });
});
