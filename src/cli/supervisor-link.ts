/** The manager's side of `supervisor.ts`. */
import type { Logger } from '../protocol/logger.js';

/** From the manager to its supervisor. */
export type SupervisedMessage =
  /** It has its port, its state, and its nodes: asked to end, it ends them, too. */
  { readonly kind: 'listening'; readonly port: number } | { readonly kind: 'ready'; readonly line: string };

export class SupervisorLink {
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
    process.once('disconnect', () => {
      this.#lost();
    });
  }

  tell(message: SupervisedMessage): void {
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  }

  #lost(): void {
    this.#log.warn(
      `the process that looked after this one is gone; going on without it: kill ${process.pid} ends the cluster`,
    );
  }
}
