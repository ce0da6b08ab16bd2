// Keys of a store as lines of JSON, and back: more of them than are written, or stored, at a time.
import { expect } from 'chai';
import { GTStoreError } from '../../src/client/index.js';
import type { KeyToPut } from '../../src/snapshot/put-window.js';
import { exportLines, importLines } from '../../src/snapshot/transfer.js';
import { entry, failureOf, storeOf } from '../support/snapshot-files.js';
import { endOfTurn } from '../support/transport-peers.js';

describe('lines of JSON', () => {
  /** Three of them are more than one piece. */
  const entries = Array.from({ length: 8 }, (_, n) => entry(`k-${n}`, `${n}-é`.repeat(7000)));
  const lines = entries.map(({ key, value }) => `${JSON.stringify({ key, value })}\n`);

  it('are written piece by piece, each of them once, and counted in bytes', async () => {
    const pieces: string[] = [];
    const write = async (piece: string): Promise<boolean> => (pieces.push(piece), true);
    const shown: number[] = [];
    const result = await exportLines(storeOf(entries), { write }, { onProgress: (keys) => shown.push(keys) });
    expect(pieces.length).to.be.within(2, 4);
    expect(pieces.join('')).to.equal(lines.join(''));
    expect(result).to.deep.equal({ keys: 8, bytes: Buffer.byteLength(lines.join('')) });
    expect(shown).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('are read from the store no further than somebody takes them', async () => {
    const pieces: string[] = [];
    const write = async (piece: string): Promise<boolean> => (pieces.push(piece), false);
    const read: number[] = [];
    const store = storeOf(entries, (index) => read.push(index));
    const { keys } = await exportLines(store, { write });
    expect(pieces).to.have.length(1);
    expect(pieces[0]).to.equal(lines.slice(0, keys).join(''));
    expect(read).to.have.length(keys).and.to.have.length.below(8);
  });

  it('cannot be made of a value that no gtstore has stored: that ends it, or its key is left out', async () => {
    const bad = {
      ...entry('bad', 1),
      get value(): number {
        throw new GTStoreError('PROTOCOL', "the value of 'bad' cannot be read: why");
      },
    };
    const store = storeOf([entry('a', 1), bad, entry('z', 2)]);
    const written: string[] = [];
    const write = async (piece: string): Promise<boolean> => (written.push(piece), true);
    const { message } = await failureOf(exportLines(store, { write }));
    expect(message).to.match(/^the value of 'bad' cannot be read: why; .*--skip-unreadable/);
    const told: string[] = [];
    const onUnreadable = (error: Error): void => void told.push(error.message);
    const { keys } = await exportLines(store, { write }, { onUnreadable });
    expect(keys).to.equal(2);
    expect(written.join('')).to.equal('{"key":"a","value":1}\n{"key":"z","value":2}\n');
    expect(told).to.deep.equal(["the value of 'bad' cannot be read: why"]);
  });

  it('are stored so many at a time, however many there are', async () => {
    const [begun, ends]: [string[], (() => void)[]] = [[], []];
    const put = (key: KeyToPut['key']): Promise<void> => {
      begun.push(key);
      return new Promise((resolve) => ends.push(resolve));
    };
    const input = Array.from({ length: 400 }, (_, n) => Buffer.from(`{"key":"k-${n}","value":${n}}\n`));
    const { clusterMap } = storeOf([]);
    const importing = importLines({ put, clusterMap }, storedOf(input), 'stdin');
    let isOver = false;
    void importing.then(() => (isOver = true));
    let mostAtOnce = 0;
    for (let turn = 0; !isOver && turn < 1000; turn++) {
      await endOfTurn();
      mostAtOnce = Math.max(mostAtOnce, ends.length);
      // Only when no more are begun.
      if (turn % 4 === 3) for (const end of ends.splice(0)) end();
    }
    expect(await importing).to.include({ keys: 400, expired: 0, bytes: Buffer.concat(input).length });
    expect(mostAtOnce).to.equal(256);
    expect(new Set(begun)).to.have.property('size', 400);
  });

  async function* storedOf(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
    yield* chunks;
  }
});
