// What comes of a run: the documents of several processes put together, and the page with the plots.
import { expect } from 'chai';
import { formatResult } from '../../src/cli/bench-table.js';
import { ClusterMap, newSlot } from '../../src/protocol/cluster-map.js';
import { defaultSettings } from '../../src/protocol/settings.js';
import { Recorder } from '../../src/load/recorder.js';
import { reportHtml } from '../../src/load/report.js';
import { type LoadResult, combine, documentOf, throughputOf } from '../../src/load/result.js';
import { countAxis, escapeText, secondsAxis } from '../../src/load/svg.js';
import type { RunReport } from '../../src/load/messages.js';
import { kinds, workloadNamed } from '../../src/load/workloads.js';
import { loadPlan } from '../support/load-plan.js';

const map = new ClusterMap({
  clusterId: 'c',
  epoch: 3,
  settings: { ...defaultSettings, slotCount: 4, replicas: 2 },
  nodes: [0, 1, 2].map((id) => ({ id, incarnation: 1, host: '127.0.0.1', port: 1 })),
  slots: [newSlot([0, 1], 1), newSlot([1, 0], 1), newSlot([0, 1], 1), newSlot([], 2)],
});

/** One a second gets faster and faster: so many operations in each. */
function reportOf(perSecond: readonly number[], changes: Partial<RunReport> = {}): RunReport {
  const recorder = new Recorder();
  recorder.begin(0, perSecond.length * 1000);
  for (const [second, count] of perSecond.entries()) {
    for (let index = 0; index < count; index++) {
      const endMs = second * 1000 + (1000 * (index + 0.5)) / count;
      recorder.succeeded(kinds.indexOf(index % 2 === 0 ? 'get' : 'put'), endMs - (index % 10) - 1, endMs);
    }
  }
  return {
    ...recorder.recording(),
    unfinished: 0,
    notBegun: 0,
    keysBySlot: [10, 20, 30, 40],
    cpuShare: 0.5,
    ...changes,
  };
}

function resultOf(changes: Partial<LoadResult> = {}): LoadResult {
  return {
    plan: loadPlan(),
    cluster: { nodes: 3, replicas: 2, slots: 4, partitioner: 'ascii-sum', epochBefore: 3, epochAfter: 3 },
    circumstances: {
      startedAt: '2026-11-20T12:00:00.000Z',
      nodeVersion: 'v20.20.0',
      platform: 'linux 6',
      cpus: 2,
      cpuModel: 'abacus',
    },
    endedEarly: null,
    hasClusterGone: false,
    ...combine([reportOf([100, 300]), reportOf([100, 100])], map),
    cleaned: { deleted: 100, left: 0, errors: {} },
    ...changes,
  };
}

describe('load: result', () => {
  it('adds up the processes: throughput second by second, latencies, errors, keys', () => {
    const errors = [{ TIMEOUT: 1 }, { TIMEOUT: 2, UNAVAILABLE: 3 }];
    const found = combine(
      errors.map((each) => reportOf([10, 20], { errors: each, absent: 1 })),
      map,
    );
    expect(found.perInterval).to.deep.equal([20, 40]);
    expect(found.errors).to.deep.equal({ TIMEOUT: 3, UNAVAILABLE: 3 });
    expect(found.absent).to.equal(2);
    expect([...found.latencies].map(([kind, { count }]) => [kind, count])).to.deep.equal([
      ['get', 30],
      ['put', 30],
    ]);
  });

  it('says how many keys each node has, as primary and as replica; nodes without keys, too', () => {
    expect(combine([reportOf([1])], map).nodeKeys).to.deep.equal([
      { id: 0, primaryKeys: 40, replicaKeys: 60 },
      { id: 1, primaryKeys: 20, replicaKeys: 60 },
      { id: 2, primaryKeys: 0, replicaKeys: 0 },
    ]);
  });

  it('min and max are of whole seconds; what is left over counts for the mean', () => {
    const result = resultOf({ perInterval: [100, 300, 10], measuredMs: 2500 });
    expect(throughputOf(result)).to.deep.equal({ mean: 164, min: 100, max: 300, each: [100, 300, 20] });
    const early = throughputOf(resultOf({ perInterval: [100, 300], measuredMs: 1999.6 }));
    expect([early.min, Math.round(early.max)]).to.deep.equal([100, 300]);
    expect(throughputOf(resultOf({ perInterval: [50], measuredMs: 500 }))).to.deep.include({
      mean: 100,
      max: 100,
    });
  });

  it('the document has the names that programs rely on', () => {
    const document = documentOf(resultOf());
    expect(document).to.have.all.keys(
      ...['workload', 'load', 'cluster', 'circumstances', 'endedEarly', 'measuredSeconds', 'operations'],
      ...['opsPerSecond', 'opsPerSecondMin', 'opsPerSecondMax', 'opsPerSecondEach', 'latencyUs', 'errors'],
      ...['absent', 'unfinished', 'notBegun', 'clientCpuShareMax', 'nodes', 'keysDeleted', 'keysLeft'],
    );
    expect(document).to.include({
      operations: 600,
      opsPerSecond: 300,
      opsPerSecondMin: 200,
      opsPerSecondMax: 400,
    });
    expect(document.latencyUs.get).to.have.all.keys(
      'count',
      'mean',
      'min',
      'p50',
      'p90',
      'p99',
      'p999',
      'max',
    );
    expect(document.latencyUs.get!.p50).to.be.closeTo(5000, 50);
    expect(JSON.parse(JSON.stringify(document))).to.deep.equal(document);
  });
});

describe('load: report', () => {
  it('is one page without scripts and without anything from elsewhere', () => {
    const html = reportHtml(resultOf());
    expect(html).to.match(/^<!doctype html>/);
    expect(html).not.to.match(/<script|<link|<img|<iframe|@import|url\(|\b(src|href)=|https?:/i);
  });

  it('has three plots, each with a title and a description for those who do not see it', () => {
    const html = reportHtml(resultOf());
    for (const id of ['throughput', 'latency', 'nodes']) {
      expect(html).to.include(`role="img" aria-labelledby="${id}-title ${id}-desc"`);
      expect(html).to.match(new RegExp(`<title id="${id}-title">[^<]{10,}</title>`));
      expect(html).to.match(new RegExp(`<desc id="${id}-desc">[^<]{20,}</desc>`));
    }
    expect(html.match(/<svg /g)).to.have.length(3);
  });

  it('every coordinate is a number within its plot', () => {
    for (const result of [
      resultOf(),
      resultOf({ perInterval: [1], measuredMs: 400, latencies: new Map() }),
    ]) {
      const html = reportHtml(result);
      expect(html).not.to.match(/NaN|Infinity|undefined/);
      for (const [, points = ''] of html.matchAll(/<polyline [^>]*points="([^"]*)"/g)) {
        for (const point of points.split(' ').filter((each) => each !== '')) {
          const [x, y] = point.split(',').map(Number);
          expect(x).to.be.within(76, 820);
          expect(y).to.be.within(36, 268);
        }
      }
    }
  });

  it('has the figures, the nodes, the parameters and the circumstances', () => {
    const html = reportHtml(resultOf());
    for (const text of [
      '300 operations per second',
      'abacus',
      'v20.20.0',
      'get-put',
      'seed 1',
      'closed loop',
    ]) {
      expect(html).to.include(text);
    }
    expect(html).to.include('<tr><th scope="row">1</th><td>40</td><td>120</td></tr>');
  });

  it('escapes what users wrote', () => {
    const nasty = `<script>alert("1")</script>&'`;
    const html = reportHtml(resultOf({ plan: loadPlan({ prefix: nasty, manager: nasty }) }));
    expect(html).not.to.include('<script');
    expect(html).to.include('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;');
    expect(escapeText(nasty)).not.to.match(/[<>"']/);
  });

  it('hides no trouble: failures, early end, lost keys, what was never begun, the meaning of E', () => {
    const html = reportHtml(
      resultOf({
        plan: loadPlan({ workload: workloadNamed('e')! }),
        endedEarly: 'cluster-gone',
        errors: { TIMEOUT: 1234 },
        absent: 5,
        notBegun: 6,
        cpuShares: [0.99],
      }),
    );
    for (const text of ['went away', 'TIMEOUT', '1,234 operations failed', '5 gets found nothing']) {
      expect(html).to.include(text);
    }
    expect(html).to.include('6 operations were due and never begun').and.include('no ordered range scan');
    expect(html).to.include('had no core to spare');
    expect(reportHtml(resultOf())).not.to.include('class="notes"');
  });

  it('a rate below one is not none, and half a second has more than one tick', () => {
    expect(reportHtml(resultOf({ plan: loadPlan({ ratePerSecond: 0.4 }) }))).to.include(
      '<td>0.4 per second</td>',
    );
    expect(reportHtml(resultOf({ plan: loadPlan({ ratePerSecond: 5000 }) }))).to.include('5,000 per second');
    for (const max of [0.1, 0.5, 0.503, 1, 1.9, 2, 10, 86_400]) {
      const { ticks, from, to } = secondsAxis('s', max);
      expect([from, to]).to.deep.equal([0, max]);
      expect(ticks.length, `${max} s`).to.be.within(2, 8);
      for (const { at, label } of ticks) {
        expect(at).to.be.at.most(max);
        expect(Number(label.replace(',', ''))).to.equal(at);
      }
    }
  });

  it('axes end at round numbers that are not too many', () => {
    for (const max of [0, 1, 7, 99, 101, 65_432, 1e6, 12_345_678]) {
      const { ticks, to } = countAxis('x', max);
      expect(to).to.be.at.least(max);
      expect(ticks).to.have.length.within(2, 7);
      expect(ticks.at(-1)?.at).to.equal(to);
    }
  });
});

describe('load: table', () => {
  it('says of how many operations the latencies are that ended after the measured time', () => {
    const late = combine([reportOf([100], { perInterval: [98] })], map);
    expect(formatResult(resultOf(late))).to.match(/the latencies count 2 operations besides that began/);
    expect(formatResult(resultOf())).not.to.include('the latencies count');
  });
});
