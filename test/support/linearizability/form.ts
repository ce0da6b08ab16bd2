/**
 * What can be wrong with a history before any order of it is sought.
 *
 * Its form: a mistake of whoever recorded it, and a TypeError. And its versions: the model lets a value stand for
 * its version, so one value must have one version, wherever it is seen, and one version one value. A store that
 * breaks this breaks its promise, and the history is wrong.
 */
import { describe } from './format.js';
import type { Operation, WriteId } from './operations.js';

export function checkForm(operation: Operation): void {
  const { kind, call, return: returned, outcome } = operation;
  if (!(outcome === 'ok' ? call <= returned && returned < Infinity : call < Infinity)) {
    throw new TypeError(`an operation that returns before its call, or never: ${describe(operation)}`);
  }
  if (outcome === 'ok' && kind !== 'put' && kind !== 'remove' && operation.result === undefined) {
    throw new TypeError(`no result: ${describe(operation)}`);
  }
}

export class Versions {
  private readonly idOf = new Map<string, WriteId>();
  private readonly versionOf = new Map<WriteId, string>();

  /** What is wrong with the version of an operation with a known outcome, if anything. */
  faultOf(operation: Operation): string | undefined {
    if (!('version' in operation) || operation.version === undefined) return undefined;
    if (operation.kind === 'cas' && operation.result !== true) return undefined;
    const { version } = operation;
    const id = operation.kind === 'get' ? operation.result : operation.value;
    if (id === null || id === undefined) return undefined;
    const otherId = this.idOf.get(version) ?? id;
    const otherVersion = this.versionOf.get(id) ?? version;
    if (otherId !== id) return `${otherId} and ${id} both have the version ${version}`;
    if (otherVersion !== version) return `${id} has two versions: ${otherVersion} and ${version}`;
    this.idOf.set(version, id);
    this.versionOf.set(id, version);
    return undefined;
  }
}
