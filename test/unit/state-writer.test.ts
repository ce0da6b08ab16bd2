import { expect } from 'chai';
import type { MetadataStore } from '../../src/manager/metadata-store.js';
import { StateWriter } from '../../src/manager/state-writer.js';
import type { Logger } from '../../src/protocol/logger.js';
import { stateOf } from '../support/metadata-store-contract.js';
import { endOfTurn } from '../support/transport-peers.js';
import { until } from '../support/until.js';

describe("writing the manager's state", () => {
  const lines: string[] = [];
  const log: Logger = {
    error: (text) => lines.push(`error ${text}`),
    warn: (text) => lines.push(`warn ${text}`),
    info: (text) => lines.push(`info ${text}`),
    debug: () => undefined,
  };
  let failuresLeft = 0;
  const stored: number[] = [];
  const store: MetadataStore = {
    outlivesProcess: true,
    load: () => Promise.resolve(null),
    save: ({ serial }) => {
      if (failuresLeft-- > 0) return Promise.reject(new Error('ENOSPC: no space left on device'));
      stored.push(serial);
      return Promise.resolve();
    },
    clear: () => Promise.resolve(),
  };

  it('M3, M7: a disk that is full is told once each time, tried again, and nothing counts as saved before it is', async () => {
    const saved: number[] = [];
    let failures = 0;
    const writer = new StateWriter(
      store,
      log,
      (serial) => saved.push(serial),
      () => failures++,
      5,
    );
    failuresLeft = 3;
    writer.write(stateOf(1));
    await until(() => failures === 1);
    writer.write(stateOf(2));
    writer.write(stateOf(3));
    expect(saved).to.deep.equal([]);
    await until(() => saved.length === 1);
    // Of those that came meanwhile the newest.
    expect(saved).to.deep.equal([3]);
    expect(stored).to.deep.equal([3]);
    expect(failures).to.equal(3);
    expect(lines).to.have.length(2);
    expect(lines[0]).to.match(/^error cannot save .* trying again: .*ENOSPC/);
    expect(lines[1]).to.match(/^info .* saved again/);
    // A second time it is told a second time.
    failuresLeft = 1;
    writer.write(stateOf(4));
    await until(() => saved.length === 2);
    expect(lines.map((line) => line.split(' ', 1)[0])).to.deep.equal(['error', 'info', 'error', 'info']);
    await writer.close();
  });

  it('when it is closed, the state that is being written is waited for, and nothing comes after it', async () => {
    const begun: number[] = [];
    let end = (): void => undefined;
    const slow: MetadataStore = {
      ...store,
      save: ({ serial }) => {
        begun.push(serial);
        return new Promise((resolve) => (end = resolve));
      },
    };
    const saved: number[] = [];
    const writer = new StateWriter(
      slow,
      log,
      (serial) => saved.push(serial),
      () => undefined,
    );
    writer.write(stateOf(1));
    writer.write(stateOf(2));
    let isClosed = false;
    const closing = writer.close().then(() => (isClosed = true));
    await endOfTurn();
    // Whoever closes it removes the file then, which must not come back.
    expect(isClosed).to.equal(false);
    end();
    await closing;
    writer.write(stateOf(3));
    await endOfTurn();
    expect(begun).to.deep.equal([1]);
    expect(saved).to.deep.equal([]);
  });

  it('is not waited for at the end for longer than a while: a disk that hangs does not keep a cluster from ending', async () => {
    const hung: MetadataStore = { ...store, save: () => new Promise(() => undefined) };
    const writer = new StateWriter(
      hung,
      log,
      () => undefined,
      () => undefined,
    );
    expect(await writer.close(10)).to.equal(true);
    const other = new StateWriter(
      hung,
      log,
      () => undefined,
      () => undefined,
    );
    other.write(stateOf(1));
    expect(await Promise.race([other.close(10), until(() => false).catch(() => 'for ever')])).to.equal(false);
  });
});
