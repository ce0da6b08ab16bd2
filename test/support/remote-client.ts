/** A client on another host (hosts.ts): a process there that does what it is told, one message a call. */
import { fileURLToPath } from 'node:url';
import type { ClusterStatus } from '../../src/testing/index.js';
import type { Host, HostProcess } from './hosts.js';

const script = fileURLToPath(new URL('remote-client-process.js', import.meta.url));

export type RemoteCall =
  | { readonly act: 'put'; readonly key: string; readonly value: string; readonly timeoutMs?: number }
  | { readonly act: 'get'; readonly key: string; readonly timeoutMs?: number }
  | { readonly act: 'status' };

export interface RemoteAnswer {
  /** 'done', or the code it failed with. */
  readonly outcome: string;
  /** What was read. */
  readonly value?: unknown;
  /** Wall clock of this machine. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

export interface NumberedCall {
  readonly id: number;
  readonly call: RemoteCall;
}

export interface NumberedAnswer {
  readonly id: number;
  readonly answer: RemoteAnswer;
}

export class RemoteClient {
  readonly #process: HostProcess;
  readonly #waiting = new Map<number, (answer: RemoteAnswer) => void>();
  #id = 0;

  constructor(host: Host, manager: string) {
    this.#process = host.run(script, [manager]);
    this.#process.child.on('message', (message) => {
      const { id, answer } = message as NumberedAnswer;
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    });
  }

  get output(): string {
    return this.#process.output();
  }

  /** Every call has its deadline at the client. */
  call(call: RemoteCall): Promise<RemoteAnswer> {
    const message: NumberedCall = { id: ++this.#id, call };
    return new Promise((resolve, reject) => {
      this.#waiting.set(message.id, resolve);
      this.#process.child.send(message, (error) => {
        if (error !== null) reject(error);
      });
    });
  }

  put(key: string, value: string, timeoutMs?: number): Promise<RemoteAnswer> {
    return this.call({ act: 'put', key, value, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  }

  get(key: string, timeoutMs?: number): Promise<RemoteAnswer> {
    return this.call({ act: 'get', key, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  }

  /** undefined while the manager does not answer. */
  async status(): Promise<ClusterStatus | undefined> {
    const { outcome, value } = await this.call({ act: 'status' });
    return outcome === 'done' ? (value as ClusterStatus) : undefined;
  }
}
