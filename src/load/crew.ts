/** The client processes, as the command sees them: orders to all at once, and how far they are. */
import { type ChildProcess, fork } from 'node:child_process';
import { type ErrorCode, GTStoreError } from '../client/index.js';
import type { Answer, Order } from './messages.js';
import type { LoadPlan } from './plan.js';

type Done = Extract<Answer, { type: 'done' }>;

export class Crew {
  readonly #members: readonly Member[];

  private constructor(members: readonly Member[]) {
    this.#members = members;
  }

  /**
   * @param entry - the module that is forked; it hands what comes to a `ClientProcess`
   * @throws GTStoreError if one finds no cluster
   */
  static async open(plan: LoadPlan, entry: string): Promise<Crew> {
    const crew = new Crew(Array.from({ length: plan.processes }, () => new Member(entry)));
    try {
      await crew.#all((member, process) => member.obey({ type: 'open', plan, process }));
    } catch (error) {
      crew.close();
      throw error;
    }
    return crew;
  }

  /** Operations of the present phase, by all of them. */
  get done(): number {
    return this.#members.reduce((sum, { done }) => sum + done, 0);
  }

  /** How many that phase has, as far as the processes have said so; 0: nobody has, or knows. */
  get total(): number {
    return this.#members.reduce((sum, { total }) => sum + total, 0);
  }

  /** @throws GTStoreError of one that failed, or Error if a process has ended */
  obey(order: Exclude<Order, { type: 'open' | 'stop' }>): Promise<Done[]> {
    return this.#all((member) => member.obey(order));
  }

  /** What is under way ends early. */
  stop(): void {
    for (const member of this.#members) member.send({ type: 'stop' });
  }

  /** Ends the processes; no more orders. */
  close(): void {
    for (const member of this.#members) member.end();
  }

  /** The first failure ends what the others do, and is thrown when they have ended it. */
  async #all(act: (member: Member, index: number) => Promise<Done>): Promise<Done[]> {
    const results = await Promise.allSettled(
      this.#members.map(async (member, index) => {
        try {
          return await act(member, index);
        } catch (error) {
          this.stop();
          throw error;
        }
      }),
    );
    const failure = results.find((result) => result.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
    return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  }
}

class Member {
  done = 0;
  total = 0;
  readonly #child: ChildProcess;
  #resolve: ((done: Done) => void) | undefined;
  #reject: ((error: Error) => void) | undefined;
  /** Why it obeys no more. */
  #lost: Error | undefined;

  constructor(entry: string) {
    this.#child = fork(entry, {
      // Structured clones carry typed arrays.
      serialization: 'advanced',
      // Ctrl-C in the terminal is the command's affair, also before the child can say so itself.
      detached: true,
      // stdout belongs to the command.
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#child.on('message', (answer) => {
      this.#onAnswer(answer as Answer);
    });
    this.#child.on('error', (error) => {
      this.#onLost(error);
    });
    this.#child.on('exit', (code, signal) => {
      this.#onLost(new Error(`a client process has ended by itself (${signal ?? `exit ${code}`})`));
    });
  }

  obey(order: Order): Promise<Done> {
    this.done = 0;
    this.total = 0;
    return new Promise((resolve, reject) => {
      if (this.#lost !== undefined) {
        reject(this.#lost);
        return;
      }
      this.#resolve = resolve;
      this.#reject = reject;
      this.send(order);
    });
  }

  send(order: Order): void {
    // A failure to send is followed by the exit event.
    if (this.#child.connected) this.#child.send(order, () => undefined);
  }

  end(): void {
    if (this.#child.connected) this.#child.disconnect();
    this.#child.kill('SIGKILL');
  }

  #onAnswer(answer: Answer): void {
    switch (answer.type) {
      case 'progress':
        this.done = answer.done;
        this.total = answer.total;
        break;
      case 'done':
        this.#resolve?.(answer);
        break;
      case 'failed': {
        const { code, message } = answer;
        this.#reject?.(
          code === undefined ? new Error(message) : new GTStoreError(code as ErrorCode, message),
        );
        break;
      }
    }
  }

  #onLost(error: Error): void {
    this.#lost = error;
    this.#reject?.(error);
  }
}
