import { expect } from 'chai';
import { newMember } from '../../src/manager/core/members.js';
import type { ManagerPorts } from '../../src/manager/core/ports.js';
import { Roster } from '../../src/manager/core/roster.js';
import { SlotDesk } from '../../src/manager/core/slot-desk.js';
import type { AdminResult } from '../../src/protocol/admin.js';
import { ClusterMap, newSlot } from '../../src/protocol/cluster-map.js';
import { MessageType } from '../../src/protocol/messages.js';
import type { SlotLoad } from '../../src/protocol/messages.js';
import { defaultSettings } from '../../src/protocol/settings.js';
import { KeepingLink } from '../support/node-core.js';

const nodeIds = [0, 1, 2, 3];
const slotCount = 40;
const noDisk = { clusterId: '', slots: [], clockUs: 0 };

function mapOf(
  partitioner = 'ascii-sum',
  replicasOf = (slot: number) => [slot % 4, (slot + 1) % 4],
): ClusterMap {
  const nodes = nodeIds.map((id) => ({ id, incarnation: id + 1, host: 'h', port: 1 }));
  const slots = Array.from({ length: slotCount }, (_, slot) => newSlot(replicasOf(slot), 1));
  const settings = { ...defaultSettings, partitioner, slotCount };
  return new ClusterMap({ clusterId: 'c', epoch: 1, settings, nodes, slots });
}

describe("the manager's slot desk", () => {
  let desk: SlotDesk;
  let links: KeepingLink[];
  let logged: string[];
  let nowMs = 0;

  beforeEach(() => {
    logged = [];
    const ports: ManagerPorts = {
      nowMs: () => nowMs,
      clockUs: () => nowMs * 1000,
      random: () => 0,
      spawn: () => undefined,
      watch: () => true,
      persist: () => undefined,
      log: (level, text) => logged.push(`${level} ${text}`),
    };
    const roster = new Roster();
    links = nodeIds.map((id) => {
      const link = new KeepingLink();
      const identity = { id, incarnation: id + 1, host: 'h', port: 1, pid: 1 };
      roster.members.set(id, newMember(identity, { disk: noDisk }, link, nowMs));
      return link;
    });
    desk = new SlotDesk(ports, roster, slotCount);
  });

  const linkOf = (id: number): KeepingLink => links[id] ?? new KeepingLink();

  function report(
    nodeId: number,
    loads: SlotLoad[],
    map = mapOf(),
    from = linkOf(nodeId),
    life = nodeId + 1,
  ): void {
    desk.onLoads(from, { type: MessageType.slotLoads, nodeId, incarnation: life, loads }, map);
  }

  /** Every node tells of all its slots. */
  function reportKeys(keysIn: (slot: number) => number, map: ClusterMap): void {
    for (const id of nodeIds) {
      const own = map.slots.flatMap(({ replicas }, slot) => (replicas.includes(id) ? [slot] : []));
      report(
        id,
        own.map((slot) => ({ slot, keys: keysIn(slot), bytes: 0, reads: 0, writes: 0 })),
        map,
      );
    }
    nowMs += 10_000;
    desk.tick(map);
  }

  function ask(
    request: { readonly command: 'hot'; readonly count: number },
    map: ClusterMap | null = mapOf(),
  ): AdminResult {
    return desk.hot(request, map);
  }

  const busy = (slot: number): SlotLoad => ({ slot, keys: 3, bytes: 30, reads: 500, writes: 100 });

  it('names the hottest slots with their replicas, primary first', () => {
    report(1, [busy(5)]);
    report(2, [busy(6), { slot: 10, keys: 1, bytes: 9, reads: 0, writes: 1 }]);
    const result = ask({ command: 'hot', count: 2 });
    if (!result.ok) throw new Error(result.error);
    expect(result.hot?.map(({ slot, replicas, keys }) => ({ slot, replicas, keys }))).to.deep.equal([
      { slot: 5, replicas: [1, 2], keys: 3 },
      { slot: 6, replicas: [2, 3], keys: 3 },
    ]);
    expect(result.hot?.[0]).to.have.all.keys(
      ...['slot', 'readsPerSecond', 'writesPerSecond', 'keys', 'bytes', 'replicas'],
    );
  });

  it('refuses a senseless count in one line', () => {
    for (const count of [0, -1, 1.5, 1001])
      expect(ask({ command: 'hot', count })).to.have.property('ok', false);
  });

  it('believes a node only on its own connection, in its present life, of slots that it is a replica of', () => {
    report(1, [busy(5)], mapOf(), linkOf(2));
    report(1, [busy(5)], mapOf(), linkOf(1), 99);
    report(1, [busy(7)]);
    expect(ask({ command: 'hot', count: 9 })).to.deep.equal({ ok: true, hot: [] });
    report(1, [busy(5)]);
    expect(ask({ command: 'hot', count: 9 }))
      .to.have.property('hot')
      .with.length(1);
  });

  it('forgets what a node said of slots that the new map gives to others', () => {
    report(1, [busy(5)]);
    desk.onPublished(mapOf('ascii-sum', () => [2, 3]));
    expect(ask({ command: 'hot', count: 9 })).to.deep.equal({ ok: true, hot: [] });
  });

  it('--partitioner: warns once when one node holds the most, and says what to do', () => {
    const map = mapOf();
    // As primary: slots 0, 4, 8, ... are those of node 0.
    reportKeys((slot) => (slot % 4 === 0 ? 100 : 10), map);
    expect(desk.warnings).to.have.length(1);
    expect(desk.warnings[0]).to.match(
      /^ascii-sum spreads these keys badly: node 0 .* 77 % .* 25 % .*export.*--partitioner xxhash32.*import/,
    );
    reportKeys((slot) => (slot % 4 === 0 ? 200 : 10), map);
    expect(logged).to.have.length(1);
    expect(logged[0]).to.match(/^warn ascii-sum spreads/);
  });

  it('--partitioner: warns when less than half of the slots hold any key, and takes it back when that is over', () => {
    const map = mapOf();
    reportKeys((slot) => (slot < 19 ? 100 : 0), map);
    expect(desk.warnings[0]).to.match(/19 of 40 slots hold all of them/);
    reportKeys(() => 100, map);
    expect(desk.warnings).to.deep.equal([]);
  });

  it('--partitioner: no warning of few keys, of even ones, of a hash that is good, or before all is told', () => {
    reportKeys((slot) => (slot === 0 ? 1000 : 0), mapOf());
    expect(desk.warnings).to.deep.equal([]);
    reportKeys((slot) => 20 + (slot % 4) * 20, mapOf());
    expect(desk.warnings).to.deep.equal([]);
    reportKeys((slot) => (slot < 5 ? 1000 : 0), mapOf('fnv1a'));
    expect(desk.warnings).to.deep.equal([]);
    expect(logged).to.deep.equal([]);
  });

  it('--partitioner: what is not told yet does not count as empty', () => {
    report(
      0,
      Array.from({ length: 10 }, (_, i) => ({ slot: 4 * i, keys: 500, bytes: 0, reads: 0, writes: 0 })),
    );
    nowMs += 10_000;
    desk.tick(mapOf());
    expect(desk.warnings).to.deep.equal([]);
  });

  it('--partitioner: a node that stands in for others holds more, and that is no fault of the hash', () => {
    reportKeys(
      () => 100,
      mapOf('ascii-sum', (slot) => (slot < 28 ? [0, 1] : [1 + (slot % 3), 0])),
    );
    expect(desk.warnings).to.deep.equal([]);
  });
});
