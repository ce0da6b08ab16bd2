/** Resident memory of other processes, where the system tells (Linux). */
import { readFileSync } from 'node:fs';

/** Bytes; NaN if unknown. */
export function residentBytes(pid: number): number {
  try {
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kibibytes) * 1024;
  } catch {
    return NaN;
  }
}
