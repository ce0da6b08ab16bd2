/**
 * Busy polling for the answer to a lone operation: instead of going to sleep until the system wakes it, which takes as long
 * as a node takes to answer, the thread asks for what has come, turn of the event loop by turn, for a fraction of a millisecond.
 * Everything else in the process has its turn as before. Only where that is measured to be quicker: see `PollingTrial`.
 */
import { monotonicMs, setImmediate } from '../transport/real-time.js';
import { OperationKind } from './core/operation.js';
import type { Operation } from './core/operation.js';
import { PollingTrial } from './polling-trial.js';

/** An answer that has not come by now will take its time, and so does waiting for it: the thread sleeps. */
const pollMsMax = 0.2;

export interface BusyPollPorts {
  nowMs(): number;
  /** Calls back in the next turn of the event loop, which then does not sleep. */
  nextTurn(callback: () => void): void;
}

/** One client keeps this thread's event loop from sleeping, which does for all. */
let isPolling = false;

export class BusyPoll {
  readonly #ports: BusyPollPorts;
  /** Operations of each kind take their own time. */
  readonly #trials = Object.values(OperationKind).map(() => new PollingTrial());
  /** The only one under way since it began. */
  #alone: Operation | undefined;
  #beganAtMs = 0;
  #untilMs = 0;

  constructor(ports: BusyPollPorts = { nowMs: monotonicMs, nextTurn: setImmediate }) {
    this.#ports = ports;
  }

  /** An operation began, by this clock; no other is under way. */
  began(operation: Operation, nowMs: number): void {
    this.#alone = operation;
    this.#beganAtMs = nowMs;
    if (this.#trials[operation.kind]?.isPolling !== true) {
      this.#untilMs = 0;
      return;
    }
    this.#untilMs = nowMs + pollMsMax;
    if (isPolling) return;
    isPolling = true;
    this.#ports.nextTurn(this.#turn);
  }

  /** Another operation is under way, too. */
  stop(): void {
    this.#alone = undefined;
  }

  /** An operation ended, by this clock. */
  ended(operation: Operation, nowMs: number): void {
    if (operation !== this.#alone) return;
    this.#alone = undefined;
    this.#trials[operation.kind]?.took(nowMs - this.#beganAtMs);
  }

  readonly #turn = (): void => {
    if (this.#alone !== undefined && this.#ports.nowMs() < this.#untilMs) this.#ports.nextTurn(this.#turn);
    else isPolling = false;
  };
}
