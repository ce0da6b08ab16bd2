/** What a manager says of its tasks, in a few words. */
import type { AdminResult } from '../../src/protocol/admin.js';
import type { ManagerHarness } from './manager-harness.js';

export function errorOf(result: AdminResult | null): string {
  if (result === null) return 'no answer';
  return result.ok ? 'no error' : result.error;
}

export function progressOf(harness: ManagerHarness): string {
  const result = harness.ask({ command: 'progress' });
  if (result?.ok !== true || result.task === null || result.task === undefined) return 'none';
  const { task, state, done, total } = result.task;
  return `${task} ${state} ${done}/${total}`;
}

export function count(slots: readonly (readonly number[])[], id: number): number {
  return slots.filter((slot) => slot.includes(id)).length;
}
