/**
 * Versions order the writes of one key (PROTOCOL W1, RMW2).
 *
 * A version is `(hlc, clientId, seq, epoch)`, compared lexicographically. Plain writes have `seq = epoch = 0`;
 * a conditional write sits right above the version it was evaluated on, so that no plain write fits between.
 * Records and messages carry the four fields themselves, so comparing needs no intermediate object.
 */

/** One write's place in the order of its key. Opaque to users: pass it back to `compareAndSet`. */
export interface Version {
  /** Microseconds of the manager's clock, raised where needed (hybrid logical clock). */
  readonly hlc: number;
  /** The writer: random 48 bits, never 0 for a client. */
  readonly clientId: number;
  /** 0 for a plain write; counts the conditional writes stacked on it. */
  readonly seq: number;
  /** 0 for a plain write; the epoch a conditional write was evaluated in. */
  readonly epoch: number;
}

/** A version that may be overwritten in place (scratch messages, records). */
export interface MutableVersion {
  hlc: number;
  clientId: number;
  seq: number;
  epoch: number;
}

/** Ids of clients and of nodes as writers are below: they have 48 bits. */
export const clientIdEnd = 2 ** 48;

/** Lower than every version that was ever written. */
export const versionZero: Version = Object.freeze({ hlc: 0, clientId: 0, seq: 0, epoch: 0 });

/** @returns negative, 0 or positive as `a` is before, equal to or after `b`. */
export function compareVersions(a: Version, b: Version): number {
  if (a.hlc !== b.hlc) return a.hlc - b.hlc;
  if (a.clientId !== b.clientId) return a.clientId - b.clientId;
  if (a.seq !== b.seq) return a.seq - b.seq;
  return a.epoch - b.epoch;
}

export function copyVersion(from: Version, to: MutableVersion): void {
  to.hlc = from.hlc;
  to.clientId = from.clientId;
  to.seq = from.seq;
  to.epoch = from.epoch;
}

/** A plain object of its own, fit to be kept or handed to a user. */
export function cloneVersion(v: Version): MutableVersion {
  return { hlc: v.hlc, clientId: v.clientId, seq: v.seq, epoch: v.epoch };
}

export function formatVersion(v: Version): string {
  return `${v.hlc}.${v.clientId}.${v.seq}.${v.epoch}`;
}

/** Whether a value a user handed in has the shape of a version. */
export function isVersion(v: unknown): v is Version {
  if (typeof v !== 'object' || v === null) return false;
  const { hlc, clientId, seq, epoch } = v as Partial<Record<keyof Version, unknown>>;
  return (
    [hlc, clientId, seq, epoch].every((n) => Number.isSafeInteger(n) && (n as number) >= 0) &&
    (clientId as number) < clientIdEnd
  );
}
