/** When a dead node gets its next life: after some 0.15 s the first time, then with exponential back-off and jitter. */
import type { ManagerPorts, ManagerTimings } from './ports.js';
import type { Roster } from './roster.js';

interface Respawn {
  failures: number;
  /** Next start; null: it is running, or was started. */
  atMs: number | null;
}

export class Respawner {
  readonly #ports: ManagerPorts;
  readonly #timings: ManagerTimings;
  readonly #roster: Roster;
  readonly isEnabled: boolean;
  readonly #nodes = new Map<number, Respawn>();

  /** @param options `respawn`: whether it is to do anything at all */
  constructor(
    { ports, respawn }: { readonly ports: ManagerPorts; readonly respawn: boolean },
    timings: ManagerTimings,
    roster: Roster,
  ) {
    this.#ports = ports;
    this.isEnabled = respawn;
    this.#timings = timings;
    this.#roster = roster;
  }

  /** @param upMs how long the last life lasted. @returns the pause before the next, in milliseconds. */
  schedule(nodeId: number, upMs: number): number {
    const respawn = this.#nodes.get(nodeId) ?? { failures: 0, atMs: null };
    if (upMs >= this.#timings.respawnForgiveMs) respawn.failures = 0;
    const { respawnMsMin, respawnMsMax } = this.#timings;
    const pauseMs = Math.min(respawnMsMax, respawnMsMin * 2 ** Math.min(respawn.failures, 16));
    respawn.failures++;
    const jittered = pauseMs * (0.75 + this.#ports.random() / 2);
    respawn.atMs = this.#ports.nowMs() + jittered;
    this.#nodes.set(nodeId, respawn);
    return jittered;
  }

  /** Its place is kept for a while if another life of it is under way, or it is only silent. */
  isExpectedBack(nodeId: number): boolean {
    const { rejoinGraceMs } = this.#timings;
    const lostMs = this.#ports.nowMs() - (this.#roster.lostAtMs.get(nodeId) ?? -Infinity);
    if (lostMs >= rejoinGraceMs) return false;
    return this.#roster.members.has(nodeId) || (this.isEnabled && this.#isExpected(nodeId, rejoinGraceMs));
  }

  /** Whether the node has been or will be started within that time. */
  #isExpected(nodeId: number, withinMs: number): boolean {
    const respawn = this.#nodes.get(nodeId);
    return respawn !== undefined && (respawn.atMs === null || respawn.atMs - this.#ports.nowMs() <= withinMs);
  }

  cancel(nodeId: number): void {
    const respawn = this.#nodes.get(nodeId);
    if (respawn !== undefined) respawn.atMs = null;
  }

  tick(): void {
    const nowMs = this.#ports.nowMs();
    for (const [nodeId, respawn] of this.#nodes) {
      if (respawn.atMs === null || respawn.atMs > nowMs) continue;
      respawn.atMs = null;
      this.#ports.spawn(nodeId);
    }
  }
}
