/** A client process: obeys the orders of the command one after the other, and says how each ended. */
import { GTStoreError } from '../client/index.js';
import { ClientSession } from './client-session.js';
import type { Answer, Order } from './messages.js';

const progressMs = 100;

export class ClientProcess {
  readonly #send: (answer: Answer) => void;
  #session: ClientSession | undefined;

  constructor(send: (answer: Answer) => void) {
    this.#send = send;
  }

  onOrder(order: Order): void {
    if (order.type === 'stop') {
      this.#session?.stop();
      return;
    }
    const timer = setInterval(() => {
      if (this.#session === undefined) return;
      const { done, total } = this.#session;
      this.#send({ type: 'progress', done, total });
    }, progressMs);
    this.#obey(order)
      .catch((error: unknown): Answer => {
        const code = error instanceof GTStoreError ? error.code : undefined;
        return { type: 'failed', code, message: error instanceof Error ? error.message : String(error) };
      })
      .then((answer) => {
        clearInterval(timer);
        this.#send(answer);
      })
      // Whoever gave the order has gone; so will this process.
      .catch(() => undefined);
  }

  async #obey(order: Exclude<Order, { type: 'stop' }>): Promise<Answer> {
    if (order.type === 'open') {
      this.#session = await ClientSession.open(order.plan, order.process);
      return { type: 'done' };
    }
    if (this.#session === undefined) throw new Error('the first order must be open');
    switch (order.type) {
      case 'fill':
        await this.#session.fill();
        return { type: 'done' };
      case 'run':
        return { type: 'done', run: await this.#session.run() };
      case 'clean':
        return { type: 'done', clean: await this.#session.clean() };
    }
  }
}
