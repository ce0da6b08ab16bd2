/** Seeded bugs in the rules for membership (PROTOCOL M1-M8); see mutants.ts. */
import { manager, node, one } from './mutant.js';
import type { Mutant } from './mutant.js';

export const membershipMutants: readonly Mutant[] = [
  {
    name: 'what a node kept INVALID when it was removed alive stays so',
    rule: 'M6 R3',
    edits: one(
      `${node}/replica.js`,
      'if (this.store.slotOf(record) === slot && !this.store.isValid(record))',
      'if (false)',
    ),
    bias: 'stalls',
  },
  {
    name: 'a node does not tell that its disk hangs',
    rule: 'M2',
    edits: one(`${node}/disk-watch.js`, 'return isHung;', 'return false;'),
    bias: 'cutOff',
    disks: true,
    quick: true,
  },
  {
    name: 'nobody is believed that his own disk hangs',
    rule: 'M2',
    edits: one(`${manager}/isolations.js`, 'if (!hasHungDisk && !isCutOff)', 'if (!isCutOff)'),
    bias: 'cutOff',
    disks: true,
  },
  {
    name: 'a node tells once that a connection has ended',
    rule: 'M2',
    edits: one(`${node}/peer-reach.js`, 'if (this.isOut(id))', 'if (false)'),
    bias: 'cutOff',
    quick: true,
  },
  {
    name: 'who is cut off gets its slots back while it is',
    rule: 'M2',
    edits: one(`${manager}/isolations.js`, 'known.untilMs = this.#runningMs + known.forMs;', ';'),
    bias: 'cutOff',
  },
  {
    name: 'who leaves a write unanswered is reported, although it is heard',
    rule: 'M2',
    edits: one(`${node}/peer-reach.js`, 'asked.isHeard = true;', ';'),
    bias: 'hitches',
    disks: true,
    quick: true,
  },
  {
    name: 'reports on a node count that did not answer the manager either',
    rule: 'M2',
    edits: one(`${manager}/suspicion.js`, 'member.reportedBy.clear();', ';'),
    bias: 'hitches',
  },
  {
    name: 'reports count, however short the time',
    rule: 'M2',
    edits: one(`${manager}/members.js`, 'else if (latestMs - sinceMs >= persistMs)', 'else'),
    bias: 'hitches',
  },
  {
    name: 'reports that came with pauses count as if they had gone on',
    rule: 'M2',
    edits: one(`${manager}/members.js`, 'nowMs - reports.latestMs <= countsMs', 'nowMs >= reports.latestMs'),
    bias: 'hitches',
    firstSeed: 36_800,
  },
  {
    name: 'a node whose host was suspended relies on its lease',
    rule: 'M1 R4',
    edits: one(
      `${node}/lease.js`,
      'onSuspended() {\n        this.#leaseUntilMs = -Infinity;',
      'onSuspended() {',
    ),
    bias: 'stalls',
    firstSeed: 17,
    quick: true,
  },
  {
    // The other things that it gives up matter too rarely: test/unit/promises.test.ts has them.
    name: 'a node whose host was suspended relies on answers to what it sent before',
    rule: 'M1 R4',
    edits: one(
      `${node}/lease.js`,
      'this.clock.doubt();\n        this.promises.giveBack();\n        this.#heartbeats.clear();',
      'this.clock.doubt();\n        this.promises.giveBack();',
    ),
    bias: 'stalls',
    firstSeed: 36,
    quick: true,
  },
  {
    name: 'a change of the map leaves out who only joins',
    rule: 'M7',
    edits: one(
      'src/protocol/map-change.js',
      'if (assignment !== base.slots[slot])',
      'if (assignment.replicas !== base.slots[slot]?.replicas)',
    ),
    quick: true,
  },
  {
    name: 'a change is sent to whoever was told of any map',
    rule: 'M7',
    edits: [
      {
        file: `${manager}/rollout.js`,
        find: 'this.#told.get(link) === change.base',
        replace: 'this.#told.has(link)',
      },
      {
        file: `${node}/node-core.js`,
        find: 'if (newest?.epoch === change.base)',
        replace: 'if (newest !== null && change.epoch > newest.epoch)',
      },
      {
        file: 'src/protocol/map-change.js',
        find: 'if (change.base !== base.epoch || epoch <= base.epoch)',
        replace: 'if (epoch <= base.epoch)',
      },
    ],
    quick: true,
  },
  {
    name: 'what a process sent on a connection it has given up counts',
    rule: 'M3',
    edits: one(
      `${manager}/heirs.js`,
      '(isSameProcess(holder, message) || hasDiskOf(message))',
      '!isSameProcess(holder, message) && hasDiskOf(message)',
    ),
    bias: 'ambush',
    firstSeed: 232_001_340,
  },
  {
    name: 'removal without a fence',
    rule: 'M4',
    edits: one(
      `${manager}/manager-core.js`,
      'this.#publisher.beginRemoval(map, departures);',
      'this.#publisher.publish(this.#planner.after(map, map.epoch + 1, departures));',
    ),
    bias: 'moves',
  },
  {
    name: 'a map that is saved goes out whoever has died meanwhile',
    rule: 'M4',
    edits: one(`${manager}/publisher.js`, 'if (better !== null) {', 'if (false) {'),
    bias: 'moves',
    firstSeed: 201_100_400,
  },
  {
    name: 'fence acknowledged, not obeyed',
    rule: 'M4',
    edits: one(`${node}/membership.js`, 'this.#leavingAt[slot] = epoch;', 'this.#leavingAt[slot] = 0;'),
    bias: 'moves',
  },
  {
    name: 'lease ends early at the manager',
    rule: 'M3',
    edits: one(`${manager}/members.js`, '(1 + clockDriftRatio)', '0.5'),
    bias: 'leases',
  },
  {
    name: "the manager takes its own absence for its nodes' silence",
    rule: 'M3',
    edits: one(`${manager}/leases.js`, 'if (wasAbsent)', 'if (this.#leaseMs < 0)'),
    bias: 'stalls',
    quick: true,
  },
  {
    name: 'lease counted from the receipt of the answer',
    rule: 'M1',
    edits: one(
      `${node}/lease.js`,
      'const untilMs = sentMs + message.leaseMs;',
      'const untilMs = nowMs + message.leaseMs;',
    ),
    bias: 'leases',
  },
  {
    name: 'exit of another process evicts the node',
    rule: 'M3 noInc',
    edits: one(`${manager}/registry.js`, 'if (member?.pid === pid) {', 'if (member !== undefined) {'),
    bias: 'managerAway',
  },
  {
    name: 'newcomer with a taken id evicts its holder',
    rule: 'M3 noInc',
    edits: one(
      `${manager}/registry.js`,
      'if (member !== undefined && !isSameProcess(member, message) && !this.#heirs.succeeds(member, message)) {',
      'if (member === null) {',
    ),
    bias: 'managerAway',
  },
  {
    name: 'incarnation ignored in the own role',
    rule: 'M6',
    edits: one(
      `${node}/membership.js`,
      'this.#map?.node(this.nodeId)?.incarnation === this.incarnation',
      'this.#map?.node(this.nodeId) !== undefined',
    ),
    bias: 'moves',
  },
  {
    // Keeping it only when the node missed the map in between does harm only if a tombstone is dropped within that
    // time; ten thousand schedules did not reach that.
    name: 'old copy kept when joining anew',
    rule: 'M6',
    edits: one(
      `${node}/replica.js`,
      'if (after === Role.none || (after === Role.learner && joinedAnew))',
      'if (slot < 0)',
    ),
    bias: 'tombstones',
  },
  {
    name: 'copy from a replica at an older epoch',
    rule: 'M5',
    edits: one(
      `${node}/walks.js`,
      'if (message.joinedAt > this.#membership.epoch) {',
      'if (message.joinedAt < 0) {',
    ),
    bias: 'moves',
  },
  {
    name: 'INVALID copied as VALID',
    rule: 'M5',
    edits: one(`${node}/walks.js`, 'const valid = store.isValid(record);', 'const valid = true;'),
    bias: 'copies',
    quick: true,
  },
  {
    name: 'lease counted before its map is adopted',
    rule: 'M1',
    edits: one(`${node}/lease.js`, 'if (message.epoch <= this.#membership.epoch)', 'if (message.epoch >= 0)'),
    bias: 'leases',
  },
  {
    name: 'restarted manager assumes no leases',
    rule: 'M1',
    edits: one(
      `${manager}/manager-core.js`,
      'for (const member of this.#roster.members.values())\n            this.#leases.assume(member);',
      '',
    ),
    bias: 'managerAway',
  },
  {
    name: 'promises asked of full replicas only',
    rule: 'M8',
    edits: one(
      `${node}/promises.js`,
      'for (const member of map.members(slot)) {',
      'for (const member of map.slot(slot).replicas) {',
    ),
    bias: 'managerAway',
  },
  {
    name: 'promise not honoured',
    rule: 'M8',
    edits: one(`${node}/lease.js`, 'return this.promises.areGiven;', 'return false;'),
    bias: 'managerAway',
  },
  {
    name: 'promises given back and still relied on',
    rule: 'M8',
    edits: one(`${node}/promises.js`, 'giveBack() {\n        this.#held.clear();', 'giveBack() {'),
    bias: 'managerAway',
  },
  {
    name: 'only own forks watched',
    rule: 'M3',
    edits: one(`${manager}/registry.js`, 'this.#options.ports.watch(id, pid);', 'pid > 0;'),
    bias: 'managerAway',
    firstSeed: 45,
    quick: true,
  },
  {
    name: 'number of a removed record given away while it is held',
    rule: 'M6',
    edits: [
      {
        file: 'src/node/storage/record-table.js',
        find: 'if ((flags & (Flag.present | holdBits)) !== 0)',
        replace: 'if ((flags & Flag.present) !== 0)',
      },
      {
        file: `${node}/settle-queue.js`,
        find: 'store.exists(record) && !store.isValid(record);',
        replace: '!store.isValid(record);',
      },
    ],
    bias: 'moves',
  },
  {
    name: 'a fence that was obeyed for an earlier plan counts for this one',
    rule: 'M4',
    edits: one(`${manager}/fencing.js`, 'if (this.armed && epoch === this.epoch)', 'if (this.armed)'),
    bias: 'moves',
  },
  {
    name: 'a silent member is taken off a slot that nobody else has',
    rule: 'M3',
    edits: one(`${manager}/planner.js`, 'if (lapsed.has(id) && !isLast)', 'if (lapsed.has(id))'),
    bias: 'ambush',
    quick: true,
  },
];
