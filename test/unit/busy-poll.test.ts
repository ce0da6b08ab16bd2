// A client with one operation under way looks for its answer without going to sleep, where that is measured to be quicker.
import { expect } from 'chai';
import { BusyPoll } from '../../src/client/busy-poll.js';
import { Operation, OperationKind } from '../../src/client/core/operation.js';
import { PollingTrial, roundLength, trialLength } from '../../src/client/polling-trial.js';

/** A thread with a clock; a turn of its event loop takes so long. */
class Thread {
  nowMs = 1000;
  turns = 0;
  readonly #turnMs: number;
  #next: (() => void)[] = [];

  constructor(turnMs = 0.01) {
    this.#turnMs = turnMs;
  }

  get ports() {
    return {
      nowMs: () => this.nowMs,
      nextTurn: (callback: () => void) => this.#next.push(callback),
    };
  }

  /** Whether it would not go to sleep now. */
  get isAwake(): boolean {
    return this.#next.length > 0;
  }

  /** How many ask for the next turn. */
  get asking(): number {
    return this.#next.length;
  }

  turn(): void {
    const due = this.#next;
    this.#next = [];
    this.turns++;
    this.nowMs += this.#turnMs;
    for (const each of due) each();
  }

  /** Turns until it would sleep. @returns for how long it did not */
  turnUntilAsleep(): number {
    const fromMs = this.nowMs;
    for (let left = 10_000; this.isAwake; left--) {
      if (left === 0) throw new Error('it never sleeps');
      this.turn();
    }
    return this.nowMs - fromMs;
  }
}

function operationOf(kind: OperationKind): Operation {
  const operation = new Operation(0);
  operation.reset(kind, 'k', 0, 5000);
  return operation;
}

/** Operations one after the other, answered after so long with polling and without. */
function run(
  thread: Thread,
  poll: BusyPoll,
  {
    count,
    kind,
    polledMs,
    sleptMs,
  }: { count: number; kind: OperationKind; polledMs: number; sleptMs: number },
): number {
  const operation = operationOf(kind);
  let polled = 0;
  for (let i = 0; i < count; i++) {
    poll.began(operation, thread.nowMs);
    const endsAtMs = thread.nowMs + (thread.isAwake ? polledMs : sleptMs);
    if (thread.isAwake) polled++;
    while (thread.isAwake && thread.nowMs < endsAtMs) thread.turn();
    thread.nowMs = endsAtMs;
    poll.ended(operation, endsAtMs);
    thread.turnUntilAsleep();
  }
  return polled;
}

/** Has found out that polling pays. */
function convinced(thread: Thread): BusyPoll {
  const poll = new BusyPoll(thread.ports);
  run(thread, poll, { count: trialLength, kind: OperationKind.get, polledMs: 0.05, sleptMs: 0.1 });
  return poll;
}

describe('a trial of busy polling', () => {
  /** @returns for how many of so many operations it polls */
  function polledOf(trial: PollingTrial, count: number, polledMs: number, sleptMs: number): number {
    let polled = 0;
    for (let i = 0; i < count; i++) {
      if (trial.isPolling) polled++;
      trial.took(trial.isPolling ? polledMs : sleptMs);
    }
    return polled;
  }
  const rest = roundLength - trialLength;

  /** Beyond the first round, which is shorter. */
  function seasoned(polledMs: number, sleptMs: number): PollingTrial {
    const trial = new PollingTrial();
    polledOf(trial, 4 * trialLength, polledMs, sleptMs);
    return trial;
  }

  it('tries both by turns, and polls for all that follow if that is quicker', () => {
    const trial = new PollingTrial();
    expect(polledOf(trial, trialLength, 0.06, 0.1)).to.equal(trialLength / 2);
    expect(polledOf(trial, 3 * trialLength, 0.06, 0.1)).to.equal(3 * trialLength);
  });

  it('lets it be if it is not quicker by a tenth at least', () => {
    const trial = seasoned(0.095, 0.1);
    expect(polledOf(trial, trialLength, 0.095, 0.1)).to.equal(trialLength / 2);
    expect(polledOf(trial, rest, 0.095, 0.1)).to.equal(0);
  });

  it('does not take a few that met with something else for the rule', () => {
    const trial = new PollingTrial();
    for (let i = 0; i < trialLength; i++) {
      const usualMs = trial.isPolling ? 0.06 : 0.1;
      trial.took(i % 3 === 0 ? 20 : usualMs);
    }
    expect(trial.isPolling).to.equal(true);
  });

  it('finds out when things change, both ways', () => {
    const trial = seasoned(0.06, 0.1);
    polledOf(trial, roundLength, 0.2, 0.1);
    expect(polledOf(trial, roundLength, 0.2, 0.1), 'no longer').to.equal(trialLength / 2);
    expect(polledOf(trial, roundLength, 0.05, 0.1), 'again').to.equal(trialLength / 2 + rest);
  });

  it('costs no more than one operation of 32 where it does not pay', () => {
    expect(polledOf(seasoned(50, 50), 10 * roundLength, 50, 50)).to.equal((10 * roundLength) / 32);
  });
});

describe('busy polling for a lone operation', () => {
  const { get, put } = OperationKind;

  it('keeps the event loop from sleeping until the answer is there, and no longer', () => {
    const thread = new Thread();
    const poll = convinced(thread);
    const operation = operationOf(get);
    poll.began(operation, thread.nowMs);
    for (let i = 0; i < 5; i++) thread.turn();
    expect(thread.isAwake).to.equal(true);
    poll.ended(operation, thread.nowMs);
    thread.turn();
    expect(thread.isAwake).to.equal(false);
  });

  it('ends after a fifth of a millisecond if there is no answer', () => {
    const thread = new Thread();
    const poll = convinced(thread);
    poll.began(operationOf(get), thread.nowMs);
    expect(thread.turnUntilAsleep()).to.be.closeTo(0.2, 0.02);
  });

  it('ends when another operation begins', () => {
    const thread = new Thread();
    const poll = convinced(thread);
    poll.began(operationOf(get), thread.nowMs);
    poll.stop();
    thread.turn();
    expect(thread.isAwake).to.equal(false);
  });

  it('asks for one turn at a time, however many operations follow each other', () => {
    const thread = new Thread();
    const poll = convinced(thread);
    const operation = operationOf(get);
    for (let i = 0; i < 100; i++) {
      poll.began(operation, thread.nowMs);
      thread.turn();
      expect(thread.asking).to.equal(1);
      poll.ended(operation, thread.nowMs);
    }
    thread.turnUntilAsleep();
  });

  it('is done by one client of a thread at a time', () => {
    const thread = new Thread();
    const [one, other] = [convinced(thread), convinced(thread)];
    one.began(operationOf(get), thread.nowMs);
    other.began(operationOf(get), thread.nowMs);
    expect(thread.asking).to.equal(1);
    one.stop();
    thread.turn();
    expect(thread.isAwake).to.equal(false);
    other.began(operationOf(get), thread.nowMs);
    expect(thread.isAwake, 'the other one has its turn').to.equal(true);
    other.stop();
    thread.turnUntilAsleep();
  });

  it('is tried for each kind of operation by itself', () => {
    const thread = new Thread();
    const poll = new BusyPoll(thread.ports);
    const both = { count: trialLength + 32 };
    expect(run(thread, poll, { ...both, kind: get, polledMs: 0.05, sleptMs: 0.1 })).to.equal(
      trialLength / 2 + 32,
    );
    expect(run(thread, poll, { ...both, kind: put, polledMs: 0.1, sleptMs: 0.1 })).to.equal(trialLength / 2);
    expect(run(thread, poll, { count: 32, kind: get, polledMs: 0.05, sleptMs: 0.1 })).to.equal(32);
  });

  it('learns nothing from an operation that did not stay alone', () => {
    const thread = new Thread();
    const poll = new BusyPoll(thread.ports);
    const operation = operationOf(get);
    for (let i = 0; i < 2 * trialLength; i++) {
      poll.began(operation, thread.nowMs);
      expect(thread.isAwake, 'the trial still stands at its first block').to.equal(false);
      poll.stop();
      poll.ended(operation, thread.nowMs + 1);
    }
  });
});
