/** Histories to try the linearizability checker on, and what trying every order says of them. */
import {
  type CasOperation,
  type DeleteOperation,
  type GetOperation,
  type Operation,
  type PutOperation,
  type RemoveOperation,
  type WriteId,
} from './linearizability/index.js';

// One operation in a line: `put(7, 1, 4)` was called at 1 and returned at 4; without a return its outcome is unknown.
export type Times = [call: number, returned?: number];

export function timed([call, returned]: Times): {
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

export const put = (value: WriteId, ...times: Times): PutOperation => ({
  kind: 'put',
  value,
  ...timed(times),
});
export const remove = (...times: Times): RemoveOperation => ({ kind: 'remove', ...timed(times) });
export const get = (result: WriteId | null, ...times: Times): GetOperation => ({
  kind: 'get',
  result,
  ...timed(times),
});
export const del = (result: boolean, ...times: Times): DeleteOperation => ({
  kind: 'delete',
  result,
  ...timed(times),
});
export const cas = (
  expected: WriteId | null,
  value: WriteId | null,
  result: boolean,
  ...times: Times
): CasOperation => ({ kind: 'cas', expected, value, result, ...timed(times) });

/** The obvious checker, to compare with: tries every order. */
export function bruteForce(operations: readonly Operation[], initial: WriteId | null): boolean {
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
export function step(operation: Operation, state: WriteId | null): WriteId | null | undefined {
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

export type Random = () => number;

/** mulberry32: the same numbers for the same seed. */
export function seeded(seed: number): Random {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Shape {
  operations: number;
  clients: number;
  /** Weights of put, remove, get, delete, cas. */
  weights: readonly [number, number, number, number, number];
  /** The share of operations with an unknown outcome, and of these the share that never happens. */
  unknown: number;
  lost: number;
}

export const kinds = ['put', 'remove', 'get', 'delete', 'cas'] as const;

/** A history of clients at one true register: each operation happens at one point between call and return. */
export function simulate(random: Random, shape: Shape): Operation[] {
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
export function spoil(random: Random, operations: readonly Operation[]): Operation[] {
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
export function scramble(random: Random): Operation[] {
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
