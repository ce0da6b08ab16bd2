import { expect } from 'chai';
import { GTStoreClient } from '../../src/client/index.js';
import { newError } from '../../src/transport/handshake.js';
import { Peers, Recorder } from '../support/transport-peers.js';
import { until } from '../support/until.js';

const peers = new Peers();
afterEach(() => peers.close());

describe('init of a client', () => {
  it('knocks again at a manager that had no time for it', async () => {
    let knocks = 0;
    const { port } = await peers.listen(new Recorder(), {
      onHello: () => {
        knocks++;
        return newError('UNAVAILABLE', 'no HELLO within 5000 ms');
      },
    });
    const client = new GTStoreClient({ manager: `127.0.0.1:${port}` });
    const opening = client.init({ timeoutMs: 30_000 }).catch((error: unknown) => error);
    await until(() => knocks > 2);
    await client.finalize();
    expect(await opening).to.have.property('code', 'CLOSED');
  });

  it('does not knock again at one that speaks another protocol', async () => {
    let knocks = 0;
    const { port } = await peers.listen(new Recorder(), {
      onHello: () => {
        knocks++;
        return newError('PROTOCOL', 'install the same version');
      },
    });
    const client = new GTStoreClient({ manager: `127.0.0.1:${port}` });
    const error = await client.init({ timeoutMs: 30_000 }).catch((reason: unknown) => reason);
    expect(error).to.have.property('code', 'PROTOCOL');
    expect(knocks).to.equal(1);
    await client.finalize();
  });
});
