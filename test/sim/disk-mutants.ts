/** Seeded bugs in the rules for disks (PROTOCOL D1-D4, M6); see mutants.ts. */
import { manager, node, one } from './mutant.js';
import type { Mutant } from './mutant.js';

export const diskMutants: readonly Mutant[] = [
  {
    name: 'deaths are gathered before there is a map',
    rule: 'M3',
    edits: one(
      `${manager}/manager-core.js`,
      'if (this.#recovery.isDurable && this.map !== null)',
      'if (this.#recovery.isDurable)',
    ),
    bias: 'disasters',
    disks: true,
    firstSeed: 70_004_348,
  },
  {
    name: 'who goes on with his part forgets what his disk had',
    rule: 'D3',
    edits: one(
      `${node}/attic.js`,
      'this.#replica.merge(slot, atticEntry(this.#store, record), isOverlaid);',
      ';',
    ),
    bias: 'moves',
    disks: true,
    firstSeed: 40_022_932,
  },
  {
    name: 'ACK before the disk has it',
    rule: 'D1',
    edits: one(
      `${node}/disk-gate.js`,
      'if (this.#isSaved(record, kind))\n            this.#answers.ack(link, rid);',
      'if (true)\n            this.#answers.ack(link, rid);',
    ),
    disks: true,
    quick: true,
  },
  {
    name: 'STALE before the disk has it',
    rule: 'D1',
    edits: one(
      `${node}/disk-gate.js`,
      'if (this.#isSaved(record, message.kind))\n            this.#answers.stale(link, message.rid, message.kind, record);',
      'if (true)\n            this.#answers.stale(link, message.rid, message.kind, record);',
    ),
    disks: true,
    bias: 'puts',
    quick: true,
  },
  {
    name: 'list told of before the disk has it',
    rule: 'D1 RMW5',
    edits: one(
      `${node}/disk-gate.js`,
      'return kind === WriteKind.plain && this.#store.isValid(record);',
      'return this.#store.isValid(record);',
    ),
    disks: true,
    bias: 'siblings',
    quick: true,
  },
  {
    name: 'own copy counted before the disk has it',
    rule: 'D1',
    edits: one(
      `${node}/peer-writes.js`,
      'noted: this.#journal.isAwaited ? this.#journal.noted : 0',
      'noted: 0',
    ),
    disks: true,
    bias: 'conditions',
  },
  {
    name: 'copy told of before the disk has it',
    rule: 'D2',
    edits: one(`${node}/learner.js`, 'done && noted <= this.#journal.saved', 'done'),
    disks: true,
    bias: 'copies',
    quick: true,
  },
  {
    name: 'a part that serves on gets no label',
    rule: 'M6 D2',
    edits: one(
      `${node}/attic.js`,
      'if (after === Role.full)\n                this.#servePart(slot, joinedAt);',
      '',
    ),
    disks: true,
    bias: 'disasters',
    firstSeed: 240,
  },
  {
    name: 'disk keeps what a newcomer had',
    rule: 'D2',
    edits: one(
      `${node}/attic.js`,
      'this.#labels.delete(slot);\n        this.#journal.clear(slot);',
      'this.#labels.delete(slot);',
    ),
    disks: true,
    bias: 'tombstones',
    quick: true,
  },
  {
    name: 'what was not confirmed stays on the disk',
    rule: 'D2',
    edits: one(
      `${node}/attic.js`,
      'if (this.#store.get(slot, key) === noRecord)',
      'if (this.#store.get(slot, key) !== noRecord)',
    ),
    disks: true,
    bias: 'tombstones',
  },
  {
    name: 'what the sweeper dropped stays on the disk',
    rule: 'D2',
    edits: one(
      `${node}/replica.js`,
      'this.#journal.remove(this.store.slotOf(record), this.store.keyOf(record));',
      '',
    ),
    disks: true,
    bias: 'tombstones',
  },
  {
    name: 'any label brings a slot back',
    rule: 'D3',
    edits: [
      {
        file: `${manager}/recovery.js`,
        find: 'diskSlots.get(slot) === joinedAt;',
        replace: 'diskSlots.has(slot) === true;',
      },
      {
        file: `${node}/attic.js`,
        find: 'if (this.#labels.get(slot) === joinedAt) {',
        replace: 'if (this.#labels.has(slot)) {',
      },
    ],
    disks: true,
    bias: 'disasters',
    quick: true,
  },
  {
    name: 'a lost slot does not wait for its disks',
    rule: 'D3',
    edits: one(
      `${manager}/recovery.js`,
      'if (!this.isDurable)\n            return undefined;',
      'return undefined;',
    ),
    disks: true,
    quick: true,
  },
  {
    name: 'awaited slots forgotten by a restarted manager',
    rule: 'D3',
    edits: one(`${manager}/manager-core.js`, 'this.#recovery.restore(state.awaited ?? []);', ''),
    disks: true,
    bias: 'disasters',
    quick: true,
  },
  {
    name: 'a slot brought back while promises of the dead last',
    rule: 'M8 D3',
    edits: one(
      `${manager}/recovery.js`,
      'nowMs() < awaited.sinceMs + leaseMs * (1 + clockDriftRatio)',
      'false',
    ),
    disks: true,
    bias: 'disasters',
  },
  {
    name: 'deaths not gathered',
    rule: 'D3',
    edits: one(
      `${manager}/manager-core.js`,
      'if (this.#recovery.isDurable && this.map !== null)',
      'if (false)',
    ),
    disks: true,
    bias: 'disasters',
    firstSeed: 60,
    quick: true,
  },
  {
    name: 'brought back INVALID keys as absent',
    rule: 'D3',
    edits: one(`${node}/attic.js`, 'this.#store.moveSlot(atticSlot(slot), slot);', ''),
    disks: true,
    quick: true,
  },
];
