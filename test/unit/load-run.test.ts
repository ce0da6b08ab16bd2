// The phases of a run with client processes that are made up: how it ends early, and what is said of the keys.
import { expect } from 'chai';
import { GTStoreError } from '../../src/client/index.js';
import type { CleanReport, RunReport } from '../../src/load/messages.js';
import type { LoadPlan } from '../../src/load/plan.js';
import { Recorder } from '../../src/load/recorder.js';
import { type OnProgress, Run } from '../../src/load/run.js';
import { loadPlan } from '../support/load-plan.js';
import { until } from '../support/until.js';

type Crew = ConstructorParameters<typeof Run>[0];
type Answers = Awaited<ReturnType<Crew['obey']>>;
type OrderType = Parameters<Crew['obey']>[0]['type'];

const measured: RunReport = {
  ...new Recorder().recording(),
  measuredMs: 1000,
  unfinished: 0,
  notBegun: 0,
  keysBySlot: [60, 50],
  cpuShare: 0,
};

class FakeCrew implements Crew {
  done = 0;
  total = 0;
  stops = 0;
  isClosed = false;
  readonly orders: OrderType[] = [];
  /** Each is called when that order comes; without one it is obeyed at once. */
  readonly on: Partial<Record<OrderType, () => Promise<Answers>>> = {};

  async obey({ type }: { type: OrderType }): Promise<Answers> {
    this.orders.push(type);
    const answer = this.on[type];
    if (answer !== undefined) return answer();
    return [
      { type: 'done', ...(type === 'run' ? { run: measured } : {}), ...(type === 'clean' ? cleaned() : {}) },
    ];
  }

  stop(): void {
    this.stops++;
  }

  close(): void {
    this.isClosed = true;
  }
}

function cleaned(clean: Partial<CleanReport> = {}): { clean: CleanReport } {
  return { clean: { deleted: 110, left: 0, errors: {}, ...clean } };
}

function prepared(
  changes: Partial<LoadPlan> = {},
  onProgress: OnProgress = () => undefined,
): { run: Run; crew: FakeCrew } {
  const crew = new FakeCrew();
  return { crew, run: new Run(crew, loadPlan(changes), onProgress) };
}

async function failureOf(promise: Promise<unknown>): Promise<Error> {
  const failure = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failure).to.be.instanceOf(Error);
  return failure as Error;
}

describe('load: phases of a run', () => {
  it('Ctrl-C while it measures: ended early; while keys are deleted: all was measured', async () => {
    const early = prepared();
    early.crew.on.run = () => {
      early.run.interrupt();
      return Promise.resolve([{ type: 'done', run: measured }]);
    };
    await early.run.fillAndMeasure();
    expect(early.run.endedEarly).to.equal('interrupted');
    expect(early.crew.stops).to.equal(1);

    const late = prepared();
    late.crew.on.clean = () => {
      late.run.interrupt();
      return Promise.resolve([{ type: 'done', ...cleaned() }]);
    };
    await late.run.fillAndMeasure();
    await late.run.clean();
    expect(late.run.endedEarly).to.equal(null);
    expect(late.run.cleaned).to.deep.include({ deleted: 110, left: 0 });
  });

  it('a cluster that goes while keys are deleted: all was measured, but the cluster has gone', async () => {
    const { run, crew } = prepared();
    crew.on.clean = () => {
      run.giveUp();
      return Promise.reject(new Error('a client process has ended by itself'));
    };
    await run.fillAndMeasure();
    await run.clean();
    expect(run).to.include({ endedEarly: null, hasClusterGone: true, cleaned: null });
    expect(crew.isClosed).to.equal(true);
  });

  it('interrupted, and then the cluster goes: that is why the rest is missing', async () => {
    const { run, crew } = prepared();
    crew.on.run = () => {
      run.interrupt();
      run.giveUp();
      return Promise.resolve([]);
    };
    await run.fillAndMeasure();
    await run.clean();
    expect(run.endedEarly).to.equal('cluster-gone');
    expect(crew.orders).to.deep.equal(['fill', 'run']);
  });

  it('deleting is shown of all keys there are to delete, inserted ones included', async () => {
    const shown: [done: number, total: number][] = [];
    const { run, crew } = prepared({}, (phase, done, total) => {
      if (phase === 'deleting') shown.push([done, total]);
    });
    crew.on.clean = async () => {
      Object.assign(crew, { done: 105, total: 110 });
      await until(() => shown.length > 0);
      return [{ type: 'done', ...cleaned() }];
    };
    await run.fillAndMeasure();
    await run.clean();
    expect(shown[0]).to.deep.equal([105, 110]);
  });
});

describe('load: keys that may be left', () => {
  const lost = (): Promise<never> =>
    Promise.reject(new Error('a client process has ended by itself (SIGKILL)'));

  it('a client process is lost while keys are stored: said with the failure', async () => {
    const { run, crew } = prepared();
    crew.on.fill = lost;
    crew.on.clean = lost;
    const { message } = await failureOf(run.fillAndMeasure());
    expect(message).to.equal(
      "a client process has ended by itself (SIGKILL); keys that begin with 'bench:' may be left in the store",
    );
  });

  it('a store that refuses: the failure keeps its code, and nothing is said when all are deleted', async () => {
    for (const [left, text] of [
      [0, 'full'],
      [3, "full; keys that begin with 'bench:' may be left in the store"],
    ] as const) {
      const { run, crew } = prepared();
      crew.on.fill = () => Promise.reject(new GTStoreError('DISK_FULL', 'full'));
      crew.on.clean = () => Promise.resolve([{ type: 'done', ...cleaned({ left }) }]);
      expect(await failureOf(run.fillAndMeasure())).to.include({ code: 'DISK_FULL', message: text });
    }
  });

  it('a client process is lost while keys are deleted: what was measured is kept, and what may be left is told', async () => {
    const { run, crew } = prepared();
    await run.fillAndMeasure();
    crew.on.clean = () => {
      crew.done = 30;
      return lost();
    };
    await run.clean();
    expect(run.reports).to.have.length(1);
    expect(run.cleaned).to.deep.equal({
      deleted: 30,
      left: 80,
      errors: { 'a client process has ended by itself (SIGKILL)': 1 },
    });
  });

  it('--keep: nothing is deleted, and what is left is no surprise', async () => {
    const { run, crew } = prepared({ keep: true });
    crew.on.fill = lost;
    expect((await failureOf(run.fillAndMeasure())).message).not.to.include('left');
    expect(crew.orders).to.deep.equal(['fill']);
  });
});
