/** Seeded bugs in what administrators' tasks do (PROTOCOL M9), as those of mutants.ts. */
import { manager, one } from './mutant.js';
import type { Mutant } from './mutant.js';

export const taskMutants: readonly Mutant[] = [
  {
    name: 'replica moved away without a fence',
    rule: 'M4 M9',
    edits: one(
      `${manager}/manager-core.js`,
      'this.#publisher.beginRemoval(map, departures);',
      'this.#publisher.publish(this.#planner.after(map, map.epoch + 1, departures));',
    ),
    bias: 'tasks',
  },
  {
    name: 'replica leaves before the new one is full',
    rule: 'M9',
    edits: one(
      `${manager}/placement.js`,
      'if (desired.length === 0 || !desired.every((id) => slot.replicas.includes(id)))',
      'if (desired.length === 0)',
    ),
    bias: 'tasks',
    quick: true,
  },
  {
    name: 'learner counted as a replica',
    rule: 'M9',
    edits: one(
      `${manager}/placement.js`,
      'if (desired.length === 0 || !desired.every((id) => slot.replicas.includes(id)))',
      'if (desired.length === 0 || !desired.every((id) => [...slot.replicas, ...slot.learners].includes(id)))',
    ),
    bias: 'tasks',
    quick: true,
  },
  {
    name: 'drained node admitted again',
    rule: 'M9',
    edits: one(
      `${manager}/administration.js`,
      'return this.#options.knownNodes.get(nodeId)?.drained === true;',
      'return nodeId < -1;',
    ),
    bias: 'tasks',
    quick: true,
  },
  {
    name: 'node being drained takes the places of others',
    rule: 'M9',
    edits: one(`${manager}/intent.js`, 'nodeId === this.leavingId ||', ''),
    bias: 'tasks',
  },
  {
    name: 'task forgotten at a restart of the manager',
    rule: 'M9',
    edits: one(
      `${manager}/tasks.js`,
      'this.#set(task ?? null);',
      'this.#set(targets === task ? task : null);',
    ),
    bias: 'tasks',
    quick: true,
  },
  {
    name: 'targets forgotten at a restart of the manager',
    rule: 'M9',
    edits: one(`${manager}/tasks.js`, 'this.#options.intent.targets = targets ?? [];', ''),
    bias: 'tasks',
  },
  {
    name: 'administrator answered before the task is saved',
    rule: 'M9',
    edits: one(`${manager}/admin.js`, 'if (serial <= this.#savedSerial)', 'if (serial > 0)'),
    bias: 'tasks',
  },
  {
    name: 'node restarted while it holds slots',
    rule: 'M4 M9',
    edits: one(`${manager}/tasks.js`, 'if (this.#isEmpty(map, id))', 'if (map.epoch > 0)'),
    bias: 'tasks',
    quick: true,
  },
  {
    name: 'node restarted while another is away',
    rule: 'M9',
    edits: [
      {
        file: `${manager}/planner.js`,
        find: 'if (restartingId < 0 || settings.replicas < 2)\n            return false;',
        replace: 'return restartingId >= 0 && settings.replicas > 1;',
      },
      {
        file: `${manager}/tasks.js`,
        find: 'if (isWholeNow)\n                intent.restartingId = id;',
        replace: 'intent.restartingId = id;',
      },
    ],
    bias: 'tasks',
  },
  {
    name: 'last replica restarted in place',
    rule: 'M9',
    edits: [
      {
        file: `${manager}/planner.js`,
        find: 'if (intent.settings.replicas > 1)',
        replace: 'if (intent.settings.replicas > 0)',
      },
      {
        file: `${manager}/planner.js`,
        find: 'if (restartingId < 0 || settings.replicas < 2)',
        replace: 'if (restartingId < 0)',
      },
      {
        file: `${manager}/planner.js`,
        find: 'learners.length === 0 && others >= Math.max(1, wanted);',
        replace: 'learners.length === 0 && others >= wanted;',
      },
    ],
    bias: 'tasks',
  },
];
