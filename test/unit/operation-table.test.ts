import { expect } from 'chai';
import { OperationTable, operationsMax } from '../../src/client/core/operation-table.js';
import type { Operation } from '../../src/client/core/operation.js';

const attemptsPerRound = 2 ** 17;
const hourMs = 3_600_000;
let nowMs = 0;

function taken(table: OperationTable): Operation {
  const operation = table.take();
  if (operation === undefined) throw new Error('the table is full');
  return operation;
}

describe('request ids of operations', () => {
  it('find the present attempt of their operation, and no earlier one', () => {
    const table = new OperationTable(2, () => nowMs);
    const [a, b] = [taken(table), taken(table)];
    const [first, other] = [table.number(a), table.number(b)];
    expect(table.find(first)).to.equal(a);
    expect(table.find(other)).to.equal(b);
    const second = table.number(a);
    expect(table.find(first)).to.equal(undefined);
    expect(table.find(second)).to.equal(a);
  });

  it('are not given again to the next operation in the same place', () => {
    const table = new OperationTable(1, () => nowMs);
    const late = table.number(taken(table));
    table.release(underWay(table, late));
    table.number(taken(table));
    expect(table.find(late)).to.equal(undefined);
  });

  it('of places that were given up unanswered come last, the longest ago first', () => {
    const table = new OperationTable(3, () => nowMs);
    const all = [taken(table), taken(table), taken(table)];
    for (const operation of all) table.number(operation);
    const [first, answered, second] = all;
    for (const operation of [first, second]) {
      if (operation !== undefined) operation.awaited = 1;
    }
    for (const operation of [first, second, answered]) if (operation !== undefined) table.release(operation);
    expect(table.inUse).to.equal(0);
    expect([table.take(), table.take(), table.take(), table.take()]).to.deep.equal([
      answered,
      first,
      second,
      undefined,
    ]);
  });

  it('of places that were given up unanswered are given again after an hour: a client does not come to use all there are', () => {
    const table = new OperationTable(operationsMax, () => nowMs);
    let highest = 0;
    for (let failover = 0; failover < 100; failover++, nowMs += hourMs / 2) {
      const operations = Array.from({ length: 512 }, () => taken(table));
      for (const operation of operations) {
        highest = Math.max(highest, table.number(operation) & (operationsMax - 1));
        operation.awaited = 1;
        table.release(operation);
        operation.awaited = 0;
      }
    }
    expect(highest).to.equal(2 * 512 - 1);
  });

  it('have low bits of their own for each operation under way, for nodes go by them (W9)', () => {
    const table = new OperationTable(64, () => nowMs);
    const rids = Array.from({ length: 64 }, () => table.number(taken(table)));
    expect(new Set(rids.map((rid) => rid & (operationsMax - 1))).size).to.equal(64);
  });

  it('come round only after 2^17 attempts in one place, and stay small integers', () => {
    const table = new OperationTable(1, () => nowMs);
    const operation = taken(table);
    const first = table.number(operation);
    for (let attempt = 2; attempt < attemptsPerRound; attempt++) {
      const rid = table.number(operation);
      if (rid === first || rid <= 0 || rid >= 2 ** 31)
        throw new Error(`attempt ${attempt} has the id ${rid}`);
    }
    expect(table.number(operation)).to.equal(first);
  });
});

function underWay(table: OperationTable, rid: number): Operation {
  const operation = table.find(rid);
  if (operation === undefined) throw new Error('nothing is under way');
  return operation;
}
