// Whose turn it is to change a key, when calls leave the line before it is theirs.
import { expect } from 'chai';
import { KeyTurns } from '../../src/client/key-turns.js';
import type { Turn } from '../../src/client/key-turns.js';
import { endOfTurn } from '../support/transport-peers.js';

describe('the line of calls that wait to change a key', () => {
  let turns: KeyTurns;
  let begun: string[];
  beforeEach(() => {
    turns = new KeyTurns();
    begun = [];
  });

  function enter(name: string): Turn {
    const turn = turns.enter('k');
    void turn.begun().then(() => begun.push(name));
    return turn;
  }

  it('the last of it that leaves lets nobody wait for it', async () => {
    const first = enter('first');
    turns.leave(enter('late'));
    const next = enter('next');
    await endOfTurn();
    expect(begun).to.deep.equal(['first']);
    turns.leave(first);
    await endOfTurn();
    expect(begun).to.deep.equal(['first', 'next']);
    turns.leave(next);
    expect(turns.enter('k').before).to.equal(undefined);
  });

  it('whoever comes when the first has left waits for those who came before', async () => {
    turns.leave(enter('first'));
    const [second, third] = [enter('second'), enter('third')];
    turns.leave(second);
    // A second time: its turn had lapsed, and then its call ended.
    turns.leave(second);
    enter('fourth');
    await endOfTurn();
    expect(begun).to.deep.equal(['first', 'second', 'third']);
    turns.leave(third);
    await endOfTurn();
    expect(begun).to.deep.equal(['first', 'second', 'third', 'fourth']);
  });
});
