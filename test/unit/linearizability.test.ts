import { expect } from 'chai';
import {
  checkHistory,
  checkKey,
  formatHistory,
  History,
  UndecidedError,
  type CasOperation,
  type DeleteOperation,
  type GetOperation,
  type Operation,
  type PutOperation,
  type RemoveOperation,
  type WriteId,
} from '../support/linearizability/index.js';

// One operation in a line: `put(7, 1, 4)` was called at 1 and returned at 4; without a return its outcome is unknown.
type Times = [call: number, returned?: number];

function timed([call, returned]: Times): {
  client: string;
  call: number;
  return: number;
  outcome: 'ok' | 'unknown';
} {
  return {
    client: 'c',
    call,
    return: returned ?? Infinity,
    outcome: returned === undefined ? 'unknown' : 'ok',
  };
}

const put = (value: WriteId, ...times: Times): PutOperation => ({ kind: 'put', value, ...timed(times) });
const remove = (...times: Times): RemoveOperation => ({ kind: 'remove', ...timed(times) });
const get = (result: WriteId | null, ...times: Times): GetOperation => ({
  kind: 'get',
  result,
  ...timed(times),
});
const del = (result: boolean, ...times: Times): DeleteOperation => ({
  kind: 'delete',
  result,
  ...timed(times),
});
const cas = (
  expected: WriteId | null,
  value: WriteId | null,
  result: boolean,
  ...times: Times
): CasOperation => ({ kind: 'cas', expected, value, result, ...timed(times) });

/** The obvious checker, to compare with: tries every order. */
function bruteForce(operations: readonly Operation[], initial: WriteId | null): boolean {
  const open = operations.filter(
    (each) => each.outcome === 'ok' || (each.outcome === 'unknown' && each.kind !== 'get'),
  );
  const placed = open.map(() => false);
  const search = (state: WriteId | null): boolean => {
    let bound = Infinity;
    open.forEach((each, i) => {
      if (each.outcome === 'ok' && placed[i] === false) bound = Math.min(bound, each.return);
    });
    if (bound === Infinity) return true;
    return open.some((each, i) => {
      if (placed[i] === true || each.call > bound) return false;
      const next = step(each, state);
      if (next === undefined) return false;
      placed[i] = true;
      const found = search(next);
      placed[i] = false;
      return found;
    });
  };
  return search(initial);
}

/** The state after an operation, or undefined if its result is not possible in this state. */
function step(operation: Operation, state: WriteId | null): WriteId | null | undefined {
  const known = operation.outcome === 'ok';
  switch (operation.kind) {
    case 'put':
      return operation.value;
    case 'remove':
      return null;
    case 'get':
      return operation.result === state ? state : undefined;
    case 'delete':
      return known && operation.result !== (state !== null) ? undefined : null;
    case 'cas': {
      const applied = operation.expected === state;
      if (known && operation.result !== applied) return undefined;
      return applied ? operation.value : state;
    }
  }
}

type Random = () => number;

/** mulberry32: the same numbers for the same seed. */
function seeded(seed: number): Random {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Shape {
  operations: number;
  clients: number;
  /** Weights of put, remove, get, delete, cas. */
  weights: readonly [number, number, number, number, number];
  /** The share of operations with an unknown outcome, and of these the share that never happens. */
  unknown: number;
  lost: number;
}

const kinds = ['put', 'remove', 'get', 'delete', 'cas'] as const;

/** A history of clients at one true register: each operation happens at one point between call and return. */
function simulate(random: Random, shape: Shape): Operation[] {
  const events: { readonly at: number; readonly run: () => void }[] = [];
  const operations: Operation[] = [];
  let state: WriteId | null = null;
  let previous: WriteId | null = null;
  let lastId = 0;

  const pickKind = (): (typeof kinds)[number] => {
    let left = random() * shape.weights.reduce((sum, weight) => sum + weight, 0);
    return kinds.find((_, i) => (left -= shape.weights[i] ?? 0) < 0) ?? 'get';
  };
  const begin = (client: number, call: number, returned: number, unknown: boolean): Operation => {
    const kind = pickKind();
    const timed = {
      client,
      call,
      return: unknown ? Infinity : returned,
      outcome: unknown ? 'unknown' : 'ok',
    } as const;
    if (kind === 'put') return { kind, ...timed, value: ++lastId };
    if (kind !== 'cas') return { kind, ...timed };
    const value = random() < 0.15 ? null : ++lastId;
    return { kind, ...timed, expected: random() < 0.6 ? state : previous, value };
  };
  const happen = (operation: Operation): Operation => {
    const before = state;
    const after = step({ ...operation, outcome: 'unknown' }, before) ?? null;
    if (operation.kind !== 'get') state = after;
    if (state !== before) previous = before;
    if (operation.outcome === 'unknown') return operation;
    if (operation.kind === 'get') return { ...operation, result: before };
    if (operation.kind === 'delete') return { ...operation, result: before !== null };
    return operation.kind === 'cas' ? { ...operation, result: before === operation.expected } : operation;
  };

  for (let client = 0; client < shape.clients; client++) {
    let time = random() * 3;
    for (let i = client; i < shape.operations; i += shape.clients) {
      const call = time;
      const point = call + random() * 4;
      const returned = point + random() * 4;
      const unknown = random() < shape.unknown;
      const happens = !unknown || random() >= shape.lost;
      const index = i;
      events.push({ at: call, run: () => (operations[index] = begin(client, call, returned, unknown)) });
      events.push({
        // Some happen long after the client gave up.
        at: unknown && random() < 0.3 ? point + random() * 30 : point,
        run: () => {
          const operation = operations[index];
          if (happens && operation !== undefined) operations[index] = happen(operation);
        },
      });
      time = returned + random();
    }
  }
  events.sort((one, other) => one.at - other.at);
  for (const { run } of events) run();
  return operations;
}

/** Changes a result or a time, so that the history is perhaps wrong. */
function spoil(random: Random, operations: readonly Operation[]): Operation[] {
  const spoiled = [...operations];
  const ids = operations.flatMap((each) => (each.kind === 'put' || each.kind === 'cas' ? [each.value] : []));
  for (let tries = 0; tries < 20; tries++) {
    const i = Math.floor(random() * spoiled.length);
    const each = spoiled[i];
    if (each?.outcome !== 'ok') continue;
    if (random() < 0.3) {
      const shift = (random() - 0.5) * 12;
      spoiled[i] = { ...each, call: each.call + shift, return: each.return + shift };
    } else if (each.kind === 'get') {
      spoiled[i] = { ...each, result: ids[Math.floor(random() * ids.length)] ?? null };
    } else if (each.kind === 'delete' || each.kind === 'cas') {
      spoiled[i] = { ...each, result: each.result !== true };
    } else continue;
    break;
  }
  return spoiled;
}

/** Any operations at any times with any results; small numbers, so that times meet. */
function scramble(random: Random): Operation[] {
  const below = (n: number): number => Math.floor(random() * n);
  const count = 2 + below(6);
  const span = 2 + below(12);
  let value = 0;
  const someId = (): WriteId | null => (random() < 0.3 ? null : 1 + below(4));
  return Array.from({ length: count }, () => {
    const call = below(span);
    const times: Times = random() < 0.25 ? [call] : [call, call + below(5)];
    const choice = random();
    if (choice < 0.35) return put(++value, ...times);
    if (choice < 0.42) return remove(...times);
    if (choice < 0.62) return get(someId(), ...times);
    if (choice < 0.77) return del(random() < 0.6, ...times);
    return cas(someId(), random() < 0.2 ? null : ++value, random() < 0.6, ...times);
  });
}

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
