/** How many connections a process may accept, with the files that the system lets it have open. */
import { readFileSync } from 'node:fs';

/** For the connections that it dials itself, its files, those that are being turned away, and child processes. */
const filesKept = 128;

/** @param limits - as Linux tells them in /proc/self/limits; elsewhere: '' */
export function connectionsAllowed(limits = limitsOfSystem()): number {
  const [, digits] = /^Max open files +(\d+)/m.exec(limits) ?? [];
  if (digits === undefined) return Infinity;
  const files = Number(digits);
  return files - Math.min(filesKept, Math.ceil(files / 3));
}

function limitsOfSystem(): string {
  try {
    return readFileSync('/proc/self/limits', 'latin1');
  } catch {
    return '';
  }
}
