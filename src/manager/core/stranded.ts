/**
 * Says which slots wait although all nodes that had them are back (PROTOCOL D3): none of their disks holds any of it. Most likely
 * the cluster was started before they were mounted. A person has to mend that, or to say that the data is gone.
 */
import type { ManagerPorts } from './ports.js';
import type { Recovery } from './recovery.js';

export class Stranded {
  readonly #recovery: Recovery;
  readonly #ports: Pick<ManagerPorts, 'log'>;
  #told: string | undefined;

  constructor(recovery: Recovery, ports: Pick<ManagerPorts, 'log'>) {
    this.#recovery = recovery;
    this.#ports = ports;
  }

  /** For the status: a line, or none. */
  get warnings(): readonly string[] {
    const { slots, nodeIds } = this.#recovery.stranded;
    if (slots === 0) return [];
    return [
      `${slots} slots wait: nodes ${nodeIds.join(' ')}, which held them, came back with directories that are empty or hold older data; mount their disks and start the cluster again, or, if what they held is gone for good: gtstore recover --accept-loss`,
    ];
  }

  /** Each is told once. */
  tick(): void {
    const [line] = this.warnings;
    if (line === undefined || line === this.#told) return;
    this.#told = line;
    this.#ports.log('error', line);
  }
}
