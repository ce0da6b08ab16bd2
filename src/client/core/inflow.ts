/**
 * Which nodes something has come from lately. A node that is heard of is not silent, and where much comes a long answer, or
 * those before it, is on its way. Looked at now and then, so that it costs nothing by the operation.
 */
import type { MemberNode } from '../../protocol/cluster-map.js';
import type { ClientPorts, ClientTimings } from './ports.js';

/** Of the time after which an answer is late. */
const lookRatio = 1 / 3;
/** Between two looks: much. A line that gives less than 80 kB in a second is not waited for. */
const bulkBytesMin = 8 * 1024;

export class Inflow {
  readonly #ports: Pick<ClientPorts, 'nowMs' | 'bytesFrom'>;
  readonly #answerMsMax: number;
  #lookedMs = -Infinity;
  // By node id.
  readonly #bytes: number[] = [];
  /** When it was looked at last before something came, and before much did: it came later than that. */
  readonly #heardMs: number[] = [];
  readonly #bulkMs: number[] = [];

  constructor(ports: Pick<ClientPorts, 'nowMs' | 'bytesFrom'>, { answerMsMax }: ClientTimings) {
    this.#ports = ports;
    this.#answerMsMax = answerMsMax;
  }

  look(nodes: readonly MemberNode[]): void {
    const nowMs = this.#ports.nowMs();
    if (nowMs - this.#lookedMs < this.#answerMsMax * lookRatio) return;
    for (const { id } of nodes) {
      const bytes = this.#ports.bytesFrom(id);
      const before = this.#bytes[id] ?? 0;
      if (bytes === before) continue;
      this.#bytes[id] = bytes;
      this.#heardMs[id] = this.#lookedMs;
      if (bytes - before >= bulkBytesMin) this.#bulkMs[id] = this.#lookedMs;
    }
    this.#lookedMs = nowMs;
  }

  isHeard(nodeId: number): boolean {
    return this.#isRecent(this.#heardMs[nodeId]);
  }

  isBulk(nodeId: number): boolean {
    return this.#isRecent(this.#bulkMs[nodeId]);
  }

  #isRecent(atMs = -Infinity): boolean {
    return this.#ports.nowMs() - atMs < this.#answerMsMax;
  }
}
