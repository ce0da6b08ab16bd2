/** Seeded bugs in what the manager saves before it tells (PROTOCOL M3, M4, M7, M9), with a disk that is full or slow; see mutants.ts. */
import { manager, one } from './mutant.js';
import type { Mutant } from './mutant.js';

export const managerDiskMutants: readonly Mutant[] = [
  {
    name: 'a map goes out when any state is saved',
    rule: 'M7',
    edits: one(`${manager}/publisher.js`, 'map !== null && serial >= this.#nextSerial', 'map !== null'),
    managerDisk: true,
    quick: true,
  },
  {
    name: 'fences are sent when any state is saved',
    rule: 'M4',
    edits: one(`${manager}/publisher.js`, 'plan.armed || serial < this.#planSerial', 'plan.armed'),
    bias: 'tasks',
    managerDisk: true,
  },
  {
    name: 'an administrator is answered before his task is saved',
    rule: 'M9',
    edits: one(`${manager}/admin.js`, 'if (serial <= this.#savedSerial)', 'if (serial > 0)'),
    bias: 'tasks',
    managerDisk: true,
    quick: true,
  },
  {
    name: 'a restarted manager admits before it has saved that it has begun',
    rule: 'M3',
    edits: one(`${manager}/registry.js`, ' || !this.#options.isReserved()) {', ') {'),
    bias: 'managerAway',
    managerDisk: true,
  },
  {
    name: 'who is removed is told before that is saved',
    rule: 'M6',
    edits: one(
      `${manager}/registry.js`,
      'if (map?.node(nodeId)?.incarnation === incarnation)\n            return;',
      '',
    ),
    bias: 'moves',
    disks: true,
    managerDisk: true,
  },
  {
    name: 'a state that could not be saved is put in place of a newer one',
    rule: 'M7',
    edits: one(`${manager}/state-queue.js`, 'this.#next ??= this.#writing;', 'this.#next = this.#writing;'),
    managerDisk: true,
    firstSeed: 117,
    quick: true,
  },
  {
    name: 'a state that could not be saved is forgotten',
    rule: 'M7',
    edits: one(`${manager}/state-queue.js`, 'this.#next ??= this.#writing;', ''),
    managerDisk: true,
  },
];
