/**
 * Histories for people: an operation in a few words, and a table with a line per operation in order of the calls:
 *
 *     client  call  return  operation       timeline
 *     a          1       4  put 7 -> ok     [==]
 *     b          2       -  put 8 -> ?       [~~~~
 *     a          5       6  get -> 7            []
 *
 * The timeline shows the order of calls and returns, not their distance.
 */
import { byCall, compare, type Operation, type Operations } from './operations.js';

/** An operation without its times: `get -> 7`. */
export function describe(operation: Operation): string {
  const { outcome } = operation;
  const [asked, answer] = askedAndAnswered(operation);
  return `${asked} -> ${outcome === 'ok' ? answer : outcome === 'unknown' ? '?' : 'failed'}`;
}

function askedAndAnswered(operation: Operation): [asked: string, answer: string] {
  switch (operation.kind) {
    case 'put':
      return [`put ${operation.value}`, 'ok'];
    case 'remove':
      return ['remove', 'ok'];
    case 'get':
      return ['get', String(operation.result ?? 'absent')];
    case 'delete':
      return ['delete', operation.result === true ? 'existed' : 'was absent'];
    case 'cas': {
      const { expected, value, result } = operation;
      return [`cas ${expected ?? 'absent'} to ${value ?? 'absent'}`, result === true ? 'applied' : 'refused'];
    }
  }
}

export function formatHistory(operations: Operations, columnsMax = 60): string {
  const sorted = [...operations].sort(byCall);
  const isOpen = (each: Operation): boolean => each.outcome === 'unknown' || each.return === Infinity;
  const allTimes = sorted.flatMap((each) => (isOpen(each) ? [each.call] : [each.call, each.return]));
  const times = [...new Set(allTimes)].sort(compare);
  const scale = Math.min(1, columnsMax / times.length);
  const columns = new Map(times.map((time, rank) => [time, Math.floor(rank * scale)]));
  const width = Math.ceil(times.length * scale);

  const rows = sorted.map((each) => {
    const from = columns.get(each.call) ?? 0;
    const to = isOpen(each) ? width : (columns.get(each.return) ?? width);
    const fill = each.outcome === 'ok' ? '=' : each.outcome === 'failed' ? 'x' : '~';
    const bar = to === from ? '|' : `[${fill.repeat(to - from - 1)}${isOpen(each) ? fill : ']'}`;
    const returned = isOpen(each) ? '-' : String(each.return);
    return [String(each.client), String(each.call), returned, describe(each), ' '.repeat(from) + bar];
  });
  const table = [['client', 'call', 'return', 'operation', 'timeline'], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const align = (cell: string, column: number): string =>
    column === 1 || column === 2 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0);
  return table.map((row) => row.map(align).join('  ').trimEnd()).join('\n');
}
