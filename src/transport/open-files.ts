/** How many files the system lets this process have open, and how many connections it may accept with them. */
import { readFileSync } from 'node:fs';

/** For the connections that it dials itself, its files, those that are being turned away, and child processes. */
const filesKept = 128;

/** @param limits - as Linux tells them in /proc/self/limits; elsewhere: '' */
export function connectionsAllowed(limits = limitsOfSystem()): number {
  const files = filesAllowed(limits);
  return files === Infinity ? files : files - Math.min(filesKept, Math.ceil(files / 3));
}

/** Infinity: not known. */
export function filesAllowed(limits = limitsOfSystem()): number {
  const [, digits] = /^Max open files +(\d+)/m.exec(limits) ?? [];
  return digits === undefined ? Infinity : Number(digits);
}

function limitsOfSystem(): string {
  try {
    return readFileSync('/proc/self/limits', 'latin1');
  } catch {
    return '';
  }
}
