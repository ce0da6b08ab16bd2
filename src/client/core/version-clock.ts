/** Versions of a client's own writes: above every one that it has seen or used (PROTOCOL W1). */
import type { MutableVersion, Version } from '../../protocol/version.js';
import type { ClientPorts } from './ports.js';

/**
 * Clients learn the clock with an error of milliseconds, and a key that one of them overwrites all the time has versions of
 * its clock. To count up by one from what was seen would come too late each time; so the clock of whoever is ahead is
 * followed, up to here: one that is wrong by far shall not lead all others astray.
 */
const leadUsMax = 1_000_000;

export class VersionClock {
  readonly #ports: Pick<ClientPorts, 'clockUs'>;
  readonly #clientId: number;
  #lastHlc = 0;
  /** By how much another client's clock is ahead, as far as is known. */
  #leadUs = 0;

  constructor(ports: Pick<ClientPorts, 'clockUs'>, clientId: number) {
    this.#ports = ports;
    this.#clientId = clientId;
  }

  saw({ hlc }: Version): void {
    if (hlc <= this.#lastHlc) return;
    this.#lastHlc = hlc;
    this.#leadUs = Math.max(this.#leadUs, Math.min(leadUsMax, hlc - this.#ports.clockUs()));
  }

  /** The own clock has been told anew: by how much another one was ahead of it is not known any more. */
  clockLearnt(): void {
    this.#leadUs = 0;
  }

  /** One version per put, kept through its retries. */
  assign(version: MutableVersion): void {
    this.#lastHlc = Math.max(this.#ports.clockUs() + this.#leadUs, this.#lastHlc + 1);
    version.hlc = this.#lastHlc;
    version.clientId = this.#clientId;
    version.seq = 0;
    version.epoch = 0;
  }
}
