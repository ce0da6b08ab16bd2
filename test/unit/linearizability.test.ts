import { expect } from 'chai';
import {
  checkHistory,
  checkKey,
  formatHistory,
  UndecidedError,
  type Operation,
  type WriteId,
} from '../support/linearizability/index.js';
import {
  bruteForce,
  cas,
  del,
  get,
  put,
  remove,
  scramble,
  seeded,
  simulate,
  spoil,
  timed,
} from '../support/linearizability-histories.js';
import type { Times, Shape } from '../support/linearizability-histories.js';

/** Time of this process alone: the machine may be busy with something else. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function verdictOf(operations: readonly Operation[], initial: WriteId | null = null): boolean {
  const { ok } = checkKey(operations, initial);
  expect(ok, `not what trying every order says of\n${formatHistory(operations)}`).to.equal(
    bruteForce(operations, initial),
  );
  return ok;
}

describe('linearizability checker', () => {
  const right: [name: string, operations: Operation[], initial?: WriteId][] = [
    ['nothing', []],
    ['a read of absence', [get(null, 1, 2)]],
    ['a read of the initial value', [get(9, 1, 2)], 9],
    ['one after the other', [put(1, 1, 2), get(1, 3, 4), put(2, 5, 6), get(2, 7, 8)]],
    ['a read beside the write, of either value', [put(1, 1, 2), put(2, 3, 8), get(1, 4, 5), get(2, 6, 7)]],
    ['times that meet count as concurrent', [put(1, 1, 2), get(null, 2, 3)]],
    [
      'two readers that agree on the order',
      [put(1, 1, 9), put(2, 1, 9), get(2, 2, 3), get(1, 4, 5), get(1, 6, 7)],
    ],
    ['a put that nobody read', [put(1, 1, 2), put(2, 1, 4), get(1, 5, 6)]],
    ['a delete that found a value', [put(1, 1, 2), del(true, 3, 4), get(null, 5, 6), del(false, 7, 8)]],
    ['two deletes, a put between', [put(1, 1, 9), put(2, 1, 9), del(true, 2, 8), del(true, 2, 8)]],
    ['a remove, value or not', [remove(1, 2), get(null, 3, 4), put(1, 5, 6), remove(7, 8), get(null, 9, 10)]],
    ['a chain of conditional writes', [cas(null, 1, true, 1, 2), cas(1, 2, true, 3, 4), get(2, 5, 6)]],
    [
      'a race of conditional writes',
      [put(1, 1, 2), cas(1, 2, true, 3, 6), cas(1, 3, false, 3, 6), get(2, 7, 8)],
    ],
    [
      'a conditional delete',
      [put(1, 1, 2), cas(1, null, true, 3, 4), get(null, 5, 6), cas(null, 2, true, 7, 8)],
    ],
    ['refused for what was not there yet', [put(1, 1, 9), cas(1, 2, false, 2, 3), get(1, 4, 5)]],
    ['refused for a value that never was', [cas(7, 1, false, 1, 2), get(null, 3, 4)]],
    [
      'refused for absence, within a chain',
      [put(1, 1, 2), cas(1, null, true, 3, 9), cas(null, 2, false, 4, 5), get(null, 10, 11)],
    ],
    [
      'refused within a chain, with a likely other chain to go first',
      [
        put(1, 0, 1),
        cas(1, null, true, 0, 100),
        put(2, 0, 2),
        cas(2, null, true, 0, 3),
        cas(null, 3, false, 50, 60),
      ],
    ],
    ['an unknown put that surfaces later', [put(1, 1), put(2, 2, 3), get(2, 4, 5), get(1, 6, 7)]],
    ['an unknown put that never happened', [put(1, 1), get(null, 2, 3)]],
    ['an unknown put that only a delete saw', [put(1, 1), get(null, 2, 3), del(true, 4, 5), get(null, 6, 7)]],
    ['an unknown delete that surfaces later', [put(1, 1, 2), del(true, 3), get(1, 4, 5), get(null, 6, 7)]],
    [
      'an unknown conditional write that surfaces later',
      [put(1, 1, 2), cas(1, 2, true, 3), get(1, 4, 5), get(2, 6, 7)],
    ],
    [
      'an unknown conditional write seen by its successor only',
      [put(1, 1, 2), cas(1, 2, true, 3), cas(2, 3, true, 4, 5), get(3, 6, 7)],
    ],
    ['an unknown conditional delete', [put(1, 1, 2), cas(1, null, true, 3), get(1, 4, 5), get(null, 6, 7)]],
    [
      'unknown conditional writes after each other',
      [put(1, 1, 2), cas(1, 2, true, 3), cas(2, null, true, 3), get(1, 4, 5), get(null, 6, 7)],
    ],
    ['an unknown read', [put(1, 1, 2), get(null, 3)]],
  ];
  for (const [name, operations, initial] of right) {
    it(`accepts ${name}`, () => {
      expect(verdictOf(operations, initial)).to.equal(true);
    });
  }

  const wrong: [name: string, reason: RegExp, operations: Operation[], initial?: WriteId][] = [
    ['a stale read', /value 1 within|value 2/, [put(1, 1, 2), put(2, 3, 4), get(1, 5, 6)]],
    [
      'a stale absence',
      /absence was seen within 2-7/,
      [put(1, 1, 2), remove(3, 9), get(null, 4, 5), get(1, 7, 8)],
    ],
    ['an absence after a put', /no order/, [put(1, 1, 2), get(null, 3, 4)]],
    ['an absence at the start', /no order/, [get(null, 1, 2)], 9],
    ['a value that was never written', /7 was read but never written/, [put(1, 1, 2), get(7, 3, 4)]],
    ['a value read before it was written', /1 was read before it was written/, [get(1, 1, 2), put(1, 3, 4)]],
    ['a value from the past, come back', /value/, [put(1, 1, 2), put(2, 3, 9), get(2, 4, 5), get(1, 6, 7)]],
    [
      'readers that disagree on the order',
      /within/,
      [put(1, 1, 3), put(2, 1, 3), get(1, 4, 5), get(2, 6, 7), get(1, 8, 9)],
    ],
    [
      'a lost update: two applied for one expected',
      /two conditional writes replaced 1: 2 and 3/,
      [put(1, 1, 2), cas(1, 2, true, 3, 6), cas(1, 3, true, 3, 6)],
    ],
    ['two creations without a delete', /no order/, [cas(null, 1, true, 1, 4), cas(null, 2, true, 1, 4)]],
    ['a conditional write over a newer value', /within/, [put(1, 1, 2), put(2, 3, 4), cas(1, 3, true, 5, 6)]],
    ['a refusal for the value that was there', /no order/, [put(1, 1, 2), cas(1, 2, false, 3, 4)]],
    ['a refusal for absence that was', /no order/, [cas(null, 1, false, 1, 2)]],
    ['a condition on a value that never was', /never written/, [cas(7, 1, true, 1, 2)]],
    ['conditions in a circle', /each expected/, [cas(2, 1, true, 1, 2), cas(1, 2, true, 1, 2)]],
    ['two deletes that found the same value', /no order/, [put(1, 1, 2), del(true, 3, 6), del(true, 3, 6)]],
    ['a delete that found nothing, over a value', /no order/, [put(1, 1, 2), del(false, 3, 4)]],
    ['a delete that did not last', /within/, [put(1, 1, 2), del(true, 3, 4), get(1, 5, 6)]],
    ['a remove that did not last', /within/, [put(1, 1, 2), remove(3, 4), get(1, 5, 6)]],
    [
      'an unknown put that took effect twice',
      /within/,
      [put(1, 1), get(1, 2, 3), put(2, 4, 5), get(2, 6, 7), get(1, 8, 9)],
    ],
    [
      'an unknown put that was deleted twice',
      /no order/,
      [put(1, 1), del(true, 2, 3), get(null, 4, 5), del(true, 6, 7)],
    ],
    ['an unknown put before its call', /before it was written/, [get(1, 1, 2), put(1, 3)]],
    ['an unknown delete before its call', /no order/, [put(1, 1, 2), get(null, 3, 4), del(true, 5)]],
    [
      'an unknown conditional write that took effect although another had',
      /two conditional writes/,
      [put(1, 1, 2), cas(1, 2, true, 3), cas(1, 3, true, 4, 5), get(2, 6, 7)],
    ],
    [
      'an unknown conditional write on a value that never was',
      /never written/,
      [cas(8, 1, true, 1), get(1, 2, 3)],
    ],
    [
      'a put that was said to have failed',
      /1 was read but never written/,
      [{ ...put(1, 1, 2), outcome: 'failed' }, get(1, 3, 4)],
    ],
  ];
  for (const [name, reason, operations, initial] of wrong) {
    it(`rejects ${name}`, () => {
      expect(verdictOf(operations, initial)).to.equal(false);
      const verdict = checkKey(operations, initial);
      expect(verdict).to.have.property('reason').that.matches(reason);
    });
  }

  it('rejects a value with two versions, and a version of two values', () => {
    const read = (value: WriteId, version: string, ...times: Times): Operation => ({
      ...get(value, ...times),
      version,
    });
    const writes = [put(1, 1, 2), put(2, 1, 9)];
    expect(checkKey([...writes, read(1, 'a', 3, 4), read(2, 'b', 5, 6), read(2, 'b', 7, 8)]).ok).to.equal(
      true,
    );
    expect(checkKey([...writes, read(1, 'a', 3, 4), read(1, 'b', 5, 6)]))
      .to.have.property('reason')
      .that.includes('1 has two versions: a and b');
    expect(checkKey([...writes, read(1, 'a', 3, 4), read(2, 'a', 5, 6)]))
      .to.have.property('reason')
      .that.includes('1 and 2 both have the version a');
    expect(checkKey([{ ...put(1, 1, 2), version: 'a' }, read(1, 'b', 3, 4)]).ok).to.equal(false);
  });

  it('refuses histories that make no sense', () => {
    expect(() => checkKey([put(1, 2, 1)])).to.throw(TypeError, 'before its call');
    expect(() => checkKey([put(1, 1, NaN)])).to.throw(TypeError, 'before its call');
    expect(() => checkKey([{ ...put(1, 1), outcome: 'ok' }])).to.throw(TypeError, 'never');
    expect(() => checkKey([put(1, 1, 2), put(1, 3, 4)])).to.throw(TypeError, 'unique');
    expect(() => checkKey([put(1, 1, 2)], 1)).to.throw(TypeError, 'unique');
    expect(() => checkKey([{ kind: 'get', ...timed([1, 2]) }])).to.throw(TypeError, 'no result');
  });

  it('says that it is undecided rather than search for ever', () => {
    const operations = [put(1, 1, 9), put(2, 1, 9), del(true, 1, 9), del(true, 1, 9)];
    expect(checkKey(operations).ok).to.equal(true);
    expect(() => checkKey(operations, null, { stepsMax: 2 })).to.throw(UndecidedError, 'undecided');
  });

  it('agrees with trying every order, on thousands of small histories', () => {
    const count = { right: 0, wrong: 0, rightWithUnknown: 0, wrongWithUnknown: 0 };
    for (let seed = 1; seed <= 20_000; seed++) {
      const random = seeded(seed);
      const weight = (): number => (random() < 0.3 ? 0 : random());
      let operations =
        seed % 2 === 0
          ? scramble(random)
          : simulate(random, {
              operations: 2 + Math.floor(random() * 7),
              clients: 1 + Math.floor(random() * 5),
              weights: [weight() + 0.1, weight() * 0.3, weight(), weight(), weight()],
              unknown: random() < 0.5 ? 0 : random() * 0.6,
              lost: random(),
            });
      if (seed % 4 === 1) operations = spoil(random, operations);
      const initial = random() < 0.2 ? 100 : null;
      const expected = bruteForce(operations, initial);
      const { ok } = checkKey(operations, initial, { explain: false });
      if (ok !== expected) {
        expect.fail(
          `seed ${seed}: ${ok} instead of ${expected} from ${initial}\n${formatHistory(operations)}`,
        );
      }
      if (seed % 4 === 3 && initial === null) {
        expect(ok, `seed ${seed} is right by construction`).to.equal(true);
      }
      const unknown = operations.some(({ outcome }) => outcome === 'unknown');
      count[ok ? (unknown ? 'rightWithUnknown' : 'right') : unknown ? 'wrongWithUnknown' : 'wrong']++;
    }
    for (const [kind, number] of Object.entries(count)) expect(number, kind).to.be.greaterThan(1500);
  });

  it('shows a slice that is wrong by itself, and mostly a small one', () => {
    const sizes: number[] = [];
    for (let seed = 1; seed <= 300; seed++) {
      const random = seeded(seed);
      const shape: Shape = { operations: 60, clients: 4, weights: [3, 1, 4, 2, 2], unknown: 0.05, lost: 0.5 };
      const operations = spoil(random, simulate(random, shape));
      const verdict = checkKey(operations);
      if (verdict.ok) continue;
      expect(checkKey(verdict.operations).ok, `seed ${seed}\n${formatHistory(verdict.operations)}`).to.equal(
        false,
      );
      sizes.push(verdict.operations.length);
    }
    sizes.sort((one, other) => one - other);
    expect(sizes.length).to.be.greaterThan(80);
    expect(sizes[Math.floor(sizes.length * 0.75)]).to.be.at.most(6);
  });

  it('finds the two operations that matter in a long history', () => {
    const many = simulate(seeded(7), {
      operations: 3000,
      clients: 8,
      weights: [1, 0, 1, 0, 0],
      unknown: 0.01,
      lost: 0.5,
    });
    const end = Math.max(...many.map((each) => (each.outcome === 'ok' ? each.return : 0)));
    const verdict = checkKey([
      ...many,
      put(-1, end + 1, end + 2),
      put(-2, end + 3, end + 4),
      get(-1, end + 5, end + 6),
    ]);
    if (verdict.ok) expect.fail('a stale read was accepted');
    expect(verdict.operations.map(({ call }) => call - end)).to.deep.equal([1, 3, 5]);
    expect(verdict.reason).to.include('get -> -1');
  });

  it('is quick on small histories', () => {
    const random = seeded(3);
    const histories = Array.from({ length: 2000 }, (_, i) =>
      simulate(random, {
        operations: 5 + (i % 56),
        clients: 4,
        weights: [3, 0.3, 4, 1, 2],
        unknown: 0.05,
        lost: 0.5,
      }),
    );
    const start = cpuMs();
    for (const operations of histories) expect(checkKey(operations).ok).to.equal(true);
    // Some 30 us each.
    expect((cpuMs() - start) / histories.length).to.be.lessThan(1);
  });

  for (const [name, weights] of [
    ['puts and reads', [1, 0, 1, 0, 0]],
    ['everything', [3, 0.5, 4, 1, 3]],
    ['deletes', [2, 1, 2, 2, 0]],
  ] as const) {
    it(`checks 100,000 operations of 16 clients in a moment: ${name}`, () => {
      const random = seeded(5);
      const histories = new Map<string, readonly Operation[]>();
      for (let key = 0; key < 10; key++) {
        const shape: Shape = { operations: 10_000, clients: 16, weights, unknown: 0.005, lost: 0.5 };
        histories.set(`k${key}`, simulate(random, shape));
      }
      const start = cpuMs();
      expect(checkHistory(histories)).to.deep.equal({ ok: true });
      // Some 0.2 s.
      expect(cpuMs() - start).to.be.lessThan(5000);
    });
  }
});
