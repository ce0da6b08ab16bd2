/**
 * Seeded bugs: each breaks one rule of docs/PROTOCOL.md in the compiled cores, and the simulator must find it. This is
 * how we know that the simulator looks where it should: a rule whose absence goes unnoticed is not tested.
 * `find` must occur exactly once in the compiled file, so that a mutant that no longer applies is noticed, too.
 * Not here, because nothing can be observed:
 * - a report on a past incarnation taken seriously (M2): it leads to a probe and at most to a fenced, planned removal;
 * - a STALE from a sibling counted for a conditional write (RMW3): a sibling evaluated on the same version in an earlier
 *   epoch is lower than ours, and one of a later epoch is met with FENCED, not STALE; the check is a second line;
 * - a plain write that clears the applied list (RMW5): a retry then ends as unknown, never as applied twice.
 */
import { client, node, one } from './mutant.js';
import type { Mutant } from './mutant.js';

export const mutants: readonly Mutant[] = [
  {
    name: 'lease check skipped',
    rule: 'R1 R4 W3',
    edits: one(
      `${node}/lease.js`,
      'return this.clock.isSure && this.promises.cover(slot, nowMs);',
      'return slot >= 0;',
    ),
    quick: true,
  },
  {
    name: 'INVALID value exposed',
    rule: 'R2',
    edits: one(
      `${node}/reads.js`,
      'if (record === noRecord || this.#store.isValid(record)) {',
      'if (link.id >= 0) {',
    ),
    quick: true,
  },
  {
    name: 'overwritten value exposed before it is known to be committed',
    rule: 'R2',
    edits: one(
      `${node}/replica.js`,
      'if (this.store.holds(record, Hold.work))\n            this.reads.keep(record);',
      'if (this.store.holds(record, Hold.work)) {\n            this.reads.keep(record); this.reads.serveFormer(record, this.store.versionOf(record)); }',
    ),
    bias: 'hotKey',
    quick: true,
  },
  {
    name: 'reader given a version earlier than it found',
    rule: 'R2',
    edits: one(
      `${node}/waiting-readers.js`,
      'const due = this.#kept.splice(0, count);',
      'const due = this.#kept.splice(0);',
    ),
    bias: 'hotKey',
    quick: true,
  },
  {
    name: 'STALE taken as success',
    rule: 'W5',
    edits: one(
      `${client}/client-core.js`,
      'this.#versions.saw(message.version);\n        this.#answered(operation, index);',
      'if (index < operation.fullCount) operation.fullAcked = true;\n        this.#answered(operation, index);',
    ),
    quick: true,
  },
  {
    name: 'ACK of a learner counted as the one ACK',
    rule: 'W5',
    edits: one(`${client}/client-core.js`, 'operation.learnerAcked = true;', 'operation.fullAcked = true;'),
    bias: 'puts',
  },
  {
    name: 'learner serves reads',
    rule: 'R1',
    edits: one(
      `${node}/admission.js`,
      'if (this.#membership.role(slot) !== Role.full)',
      'if (this.#membership.role(slot) === Role.none)',
    ),
    bias: 'moves',
  },
  {
    name: 'quorum instead of all',
    rule: 'W5',
    edits: one(
      `${client}/client-core.js`,
      'if (operation.awaited !== 0)',
      'if (operation.awaited !== 0 && !(operation.fullAcked && (operation.awaited & (operation.awaited - 1)) === 0))',
    ),
    quick: true,
  },
  {
    name: 'conditional retry run twice',
    rule: 'RMW5',
    edits: [
      {
        file: `${node}/conditions.js`,
        find: 'if (findApplied(applied, condition.opClientId, condition.opNumber, appliedAs)) {',
        replace: 'if (findApplied(null, condition.opClientId, condition.opNumber, appliedAs)) {',
      },
      {
        file: `${node}/conditions.js`,
        find: 'if (condition.retried && !this.#provesNotApplied(condition, record, matches)) {',
        replace: 'if (condition.slot < 0) {',
      },
    ],
    bias: 'conditions',
  },
  {
    name: 'retry on a lost list taken as not applied',
    rule: 'RMW5',
    // With a list of one entry, or it would take more conditional writes than a schedule has.
    edits: [
      {
        file: `${node}/conditions.js`,
        find: 'return condition.expectAbsent ? record === noRecord : matches;',
        replace: 'return condition.expectAbsent || matches;',
      },
      {
        file: 'src/protocol/applied-list.js',
        find: 'export const appliedEntriesMax = 16;',
        replace: 'export const appliedEntriesMax = 1;',
      },
    ],
    bias: 'conditions',
  },
  {
    name: 'applied lists merged',
    rule: 'RMW5',
    edits: one(
      `${node}/replica.js`,
      'this.store.setApplied(record, applied);\n        return true;',
      'this.store.setApplied(record, [...applied, ...(this.store.appliedOf(record) ?? []).slice(4)]);\n        return true;',
    ),
    bias: 'conditions',
    quick: true,
  },
  {
    name: 'version of a conditional write not right above',
    rule: 'RMW2',
    edits: one(
      `${node}/conditions.js`,
      'return { hlc: current.hlc, clientId: current.clientId, seq: current.seq + 1, epoch };',
      'return { hlc: Math.max(current.hlc + 1, this.#lease.clock.nowUs()), clientId: 7, seq: 0, epoch };',
    ),
    firstSeed: 60,
  },
  {
    name: 'conditional write decided under another membership',
    rule: 'RMW4',
    edits: [
      {
        file: `${node}/conditions.js`,
        find: 'if (!unchanged || this.#replica.serviceFault(condition.slot) !== -1)',
        replace: 'if (write === null)',
      },
      {
        file: `${node}/replica.js`,
        find: 'this.peerWrites.onSlotChanged(slot);',
        replace: '',
      },
    ],
    bias: 'conditions',
  },
  {
    name: 'conditional write that waited is run by a former primary',
    rule: 'RMW1',
    edits: one(
      `${node}/conditions.js`,
      'const fault = serviceFault === -1 && !isPrimary ?',
      'const fault = serviceFault === -1 && isPrimary === null ?',
    ),
    bias: 'siblings',
    firstSeed: 25,
  },
  {
    name: 'ACK of an earlier attempt forgotten',
    rule: 'W5 W6',
    edits: one(
      `${client}/operation.js`,
      'this.isRefused = false;\n        this.waitsForRoom = false;',
      'this.isRefused = false;\n        this.waitsForRoom = false;\n        this.fullAcked = false;',
    ),
    bias: 'puts',
  },
  {
    name: 'raised although an earlier attempt is unknown',
    rule: 'W8',
    edits: one(
      `${client}/client-core.js`,
      'else if (operation.maybeStored || operation.learnerAcked) {',
      'else if (operation.learnerAcked) {',
    ),
    bias: 'puts',
  },
  {
    name: 'raised although a learner said ACK',
    rule: 'W6',
    edits: one(
      `${client}/client-core.js`,
      'else if (operation.maybeStored || operation.learnerAcked) {',
      'else if (operation.maybeStored) {',
    ),
    bias: 'puts',
  },
  {
    name: 'replay exposes its own although STALE',
    rule: 'R3',
    edits: one(
      `${node}/peer-writes.js`,
      'if (this.#isOverwritten(write, message)) {',
      'if (write.condition === null || this.#isOverwritten(write, message)) {',
    ),
    bias: 'siblings',
  },
  {
    name: 'learner forgets what is INVALID',
    rule: 'R3',
    edits: one(
      `${node}/replica.js`,
      'else\n            this.#settleQueue.push(record, this.#ports.nowMs());\n    };',
      '};',
    ),
    firstSeed: 19,
    quick: true,
  },
  {
    name: 'old epoch accepted in a WRITE',
    rule: 'W3',
    edits: one(
      `${node}/admission.js`,
      'if (message.epoch < (membership.map?.slots[slot]?.changedAt ?? Infinity))',
      'if (message.epoch < 0)',
    ),
    bias: 'moves',
  },
  {
    name: 'tombstone dropped too early',
    rule: 'W10',
    edits: one(
      `${node}/sweeper.js`,
      'return store.storedAtMs(record) + tombstoneMs < this.#ports.nowMs() && store.hlcOf(record) < spentUs;',
      'return store.storedAtMs(record) + 20 < this.#ports.nowMs();',
    ),
    quick: true,
  },
  {
    name: 'old WRITE accepted',
    rule: 'W10',
    edits: one(`${node}/admission.js`, 'hlc < this.oldestPlainHlc()', 'message.version.hlc < 0'),
    bias: 'oldWrites',
    firstSeed: 67,
    quick: true,
  },
  {
    name: 'clock set by an answer that lay there',
    rule: 'W10',
    edits: [
      { file: `${node}/cluster-clock.js`, find: 'errorUs > this.#errorUs + grownUs', replace: 'errorUs < 0' },
      { file: `${node}/admission.js`, find: 'clock.nowUs() + clock.errorUs', replace: 'clock.nowUs()' },
    ],
    bias: 'tombstones',
    firstSeed: 53_600,
    quick: true,
  },
  {
    name: 'absent key written below a forgotten tombstone',
    rule: 'RMW2 W10',
    edits: one(
      `${node}/conditions.js`,
      'return { hlc: Math.max(0, hlc), clientId: 0, seq: ++this.#absentCount, epoch };',
      'return { hlc: hlc - hlc, clientId: 0, seq: ++this.#absentCount, epoch };',
    ),
    bias: 'tombstones',
  },
  {
    name: 'refused by one is told as not applied',
    rule: 'D4 W8',
    edits: one(
      `${client}/client-core.js`,
      'operation.mayBeStored ? Outcome.unknown : Outcome.refused',
      'Outcome.refused',
    ),
    bias: 'fullStores',
    quick: true,
  },
  {
    name: 'value kept without a copy',
    rule: 'ports',
    edits: [
      {
        file: 'src/node/storage/records.js',
        find: 'this.#memoryOf(record).bytes.set(value, this.#valueAt(record));',
        replace: '(this.kept ??= new Map()).set(record, value);',
      },
      {
        file: 'src/node/storage/records.js',
        find: 'return new Uint8Array(buffer, this.#valueAt(record), this.table.valueLength(record));',
        replace: 'return buffer === null ? null : this.kept.get(record);',
      },
    ],
    quick: true,
  },
  {
    name: 'a retry believed by one list alone',
    rule: 'RMW5',
    edits: one(
      `${node}/conditions.js`,
      'this.#confirm(condition, record);',
      'this.#answerApplied(condition, appliedAs);',
    ),
    bias: 'siblings',
    firstSeed: 15,
    quick: true,
  },
  {
    name: 'a later list kept to oneself',
    rule: 'RMW5',
    edits: one(`${node}/replica.js`, '(order === 0 && this.#hasLaterList(record, message))', 'false'),
    bias: 'siblings',
    firstSeed: 40,
  },
  {
    name: 'a first attempt that comes behind a later one is run',
    rule: 'RMW5',
    // With a list of one entry, or it would take more conditional writes than a schedule has.
    edits: [
      {
        file: `${node}/conditions.js`,
        find: 'if (this.#lateFirsts.isLate(message)) {',
        replace: 'if (condition.slot < 0) {',
      },
      {
        file: 'src/protocol/applied-list.js',
        find: 'export const appliedEntriesMax = 16;',
        replace: 'export const appliedEntriesMax = 1;',
      },
    ],
    bias: 'ambush',
    firstSeed: 229_101_400,
    quick: true,
  },
  {
    name: 'what was interrupted is asked for as if for the first time',
    rule: 'RMW4 RMW5',
    edits: one(
      `${client}/client-core.js`,
      'ConditionStatus.interrupted) {\n            operation.maybeStored = true;',
      'ConditionStatus.interrupted) {',
    ),
    bias: 'ambush',
    quick: true,
  },
  {
    name: 'what is given up before all have answered is told as not applied',
    rule: 'W8',
    edits: one(
      `${client}/operation.js`,
      '|| this.learnerAcked || this.awaited !== 0',
      '|| this.learnerAcked',
    ),
    bias: 'ambush',
  },
  {
    name: 'a WRITE of a newer epoch is taken',
    rule: 'W3',
    edits: [
      {
        file: `${node}/admission.js`,
        find: 'if (message.epoch > membership.epoch) {',
        replace: 'if (message.epoch < 0) {',
      },
      { file: `${node}/admission.js`, find: 'epoch !== ownEpoch', replace: 'epoch < ownEpoch' },
    ],
    bias: 'ambush',
  },
];
