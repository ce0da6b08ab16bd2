import { expect } from 'chai';
import { checkHistory, formatHistory, History, type Operation } from '../support/linearizability/index.js';
import { cas, del, get, put } from '../support/linearizability-histories.js';

describe('History', () => {
  it('records by key, in the order of the calls', () => {
    const history = new History();
    const [first, second] = [history.newWriteId(), history.newWriteId()];
    const a = history.begin('a', 'x', { kind: 'put', value: first });
    const b = history.begin('b', 'y', { kind: 'cas', expected: null, value: second });
    history.end(b, true, 'v2');
    const c = history.begin('b', 'x', { kind: 'get' });
    history.end(a);
    history.end(c, first, 'v1');
    const d = history.begin('a', 'x', { kind: 'delete' });
    history.lose(d);
    const e = history.begin('b', 'x', { kind: 'remove' });
    history.fail(e);
    history.begin('b', 'x', { kind: 'remove' });

    expect([...history.byKey.keys()]).to.deep.equal(['x', 'y']);
    expect(history.byKey.get('y')).to.deep.equal([
      {
        kind: 'cas',
        client: 'b',
        call: 2,
        return: 3,
        outcome: 'ok',
        expected: null,
        value: 2,
        result: true,
        version: 'v2',
      },
    ]);
    expect(history.byKey.get('x')).to.deep.equal([
      { kind: 'put', client: 'a', call: 1, return: 5, outcome: 'ok', value: 1 },
      { kind: 'get', client: 'b', call: 4, return: 6, outcome: 'ok', result: 1, version: 'v1' },
      { kind: 'delete', client: 'a', call: 7, return: Infinity, outcome: 'unknown' },
      { kind: 'remove', client: 'b', call: 9, return: 10, outcome: 'failed' },
      { kind: 'remove', client: 'b', call: 11, return: Infinity, outcome: 'unknown' },
    ]);
    expect(checkHistory(history)).to.deep.equal({ ok: true });
  });

  it('takes the time from the clock it is given', () => {
    const times = [10, 20];
    const history = new History(() => times.shift() ?? 0);
    history.end(history.begin(1, 'x', { kind: 'get' }), null);
    expect(history.byKey.get('x')?.[0]).to.include({ call: 10, return: 20, result: null });
  });

  it('names the key that is wrong', () => {
    const history = new History();
    history.end(history.begin('a', 'x', { kind: 'get' }), 5);
    history.end(history.begin('a', 'y', { kind: 'get' }), 5);
    expect(checkHistory(history, new Map([['x', 5]]))).to.include({ ok: false, key: 'y' });
  });

  it('refuses a second end and a result that does not fit', () => {
    const history = new History();
    const put = history.begin('a', 'x', { kind: 'put', value: 1 });
    history.end(put);
    expect(() => history.end(put)).to.throw(TypeError, 'ended twice');
    expect(() => history.end(history.begin('a', 'x', { kind: 'get' }))).to.throw(
      TypeError,
      'not a result of get',
    );
    expect(() => history.end(history.begin('a', 'x', { kind: 'delete' }), null)).to.throw(
      TypeError,
      'delete',
    );
    expect(() => history.end(history.begin('a', 'x', { kind: 'remove' }), true)).to.throw(
      TypeError,
      'remove',
    );
  });
});

describe('formatHistory', () => {
  it('draws a timeline', () => {
    const operations: Operation[] = [
      { ...get(7, 5, 6), client: 'reader' },
      put(7, 1, 4),
      { ...put(8, 2), client: 'b' },
      { ...cas(7, null, false, 5, 5), client: 'b' },
      { ...del(true, 3, 7), outcome: 'failed' },
    ];
    expect(formatHistory(operations)).to.equal(
      [
        'client  call  return  operation                   timeline',
        'c          1       4  put 7 -> ok                 [==]',
        'b          2       -  put 8 -> ?                   [~~~~~~',
        'c          3       7  delete -> failed              [xxx]',
        'reader     5       6  get -> 7                        []',
        'b          5       5  cas 7 to absent -> refused      |',
      ].join('\n'),
    );
  });

  it('keeps a long timeline narrow', () => {
    const operations = Array.from({ length: 500 }, (_, i) => put(i, i, i + 3));
    const lines = formatHistory(operations, 40).split('\n');
    expect(lines).to.have.length(501);
    expect(Math.max(...lines.map((line) => line.length))).to.be.at.most(80);
  });
});
