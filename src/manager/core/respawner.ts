/** When a dead node gets its next life: at once the first time, then with exponential back-off and jitter. */
import type { ManagerPorts, ManagerTimings } from './ports.js';

interface Respawn {
  failures: number;
  /** Next start; null: it is running, or was started. */
  atMs: number | null;
}

export class Respawner {
  readonly #ports: ManagerPorts;
  readonly #timings: ManagerTimings;
  readonly #nodes = new Map<number, Respawn>();

  constructor(ports: ManagerPorts, timings: ManagerTimings) {
    this.#ports = ports;
    this.#timings = timings;
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

  /** Whether the node has been or will be started within that time. */
  isExpected(nodeId: number, withinMs: number): boolean {
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
