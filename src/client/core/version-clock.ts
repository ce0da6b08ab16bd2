/** Versions of a client's own writes: above every one that it has seen or used (PROTOCOL W1). */
import type { MutableVersion, Version } from '../../protocol/version.js';
import type { ClientPorts } from './ports.js';

export class VersionClock {
  readonly #ports: Pick<ClientPorts, 'clockUs'>;
  readonly #clientId: number;
  #lastHlc = 0;

  constructor(ports: Pick<ClientPorts, 'clockUs'>, clientId: number) {
    this.#ports = ports;
    this.#clientId = clientId;
  }

  saw({ hlc }: Version): void {
    if (hlc > this.#lastHlc) this.#lastHlc = hlc;
  }

  /** One version per put, kept through its retries. */
  assign(version: MutableVersion): void {
    this.#lastHlc = Math.max(this.#ports.clockUs(), this.#lastHlc + 1);
    version.hlc = this.#lastHlc;
    version.clientId = this.#clientId;
    version.seq = 0;
    version.epoch = 0;
  }
}
