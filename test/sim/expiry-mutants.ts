/** Seeded bugs in what values with a time to live are promised (PROTOCOL W11), with hosts that sleep; see mutants.ts. */
import { client, node, one } from './mutant.js';
import type { Mutant } from './mutant.js';

const storage = 'src/node/storage';

export const expiryMutants: readonly Mutant[] = [
  {
    name: 'a node whose host was suspended trusts its clock',
    rule: 'W11',
    edits: one(`${node}/lease.js`, 'this.clock.doubt();', ''),
    bias: 'stalls',
    expiry: true,
  },
  {
    name: 'a client whose host was suspended counts lives from where its clock stood still',
    rule: 'W11',
    edits: one(
      `${client}/manager-time.js`,
      'return this.clockUs + Math.floor(this.#sleptUs);',
      'return this.clockUs;',
    ),
    bias: 'stalls',
    expiry: true,
    quick: true,
  },
  {
    name: "the manager's clock is taken to be what it was when it answered",
    rule: 'W11',
    edits: one(`${node}/cluster-clock.js`, 'clockUs + errorUs - nowMs * 1000', 'clockUs - nowMs * 1000'),
    expiry: true,
  },
  {
    name: 'an expired value is served',
    rule: 'W11',
    edits: one(
      `${node}/replica.js`,
      'return expiresAtMs === 0 || expiresAtMs * 1000 > this.#lease.clock.nowUs();',
      'return expiresAtMs === 0 || expiresAtMs > 0;',
    ),
    expiry: true,
    quick: true,
  },
  {
    name: 'an expired value is replaced on condition of its version',
    rule: 'W11 RMW1',
    edits: one(
      `${node}/conditions.js`,
      'return isLive && this.#replica.store.compareVersion(',
      'return record !== noRecord && this.#replica.store.compareVersion(',
    ),
    bias: 'conditions',
    expiry: true,
  },
  {
    name: 'an expired value keeps its key from being written if absent',
    rule: 'W11 RMW1',
    edits: one(
      `${node}/conditions.js`,
      'return !isLive;',
      'return record === noRecord || !this.#replica.store.hasValue(record);',
    ),
    bias: 'conditions',
    expiry: true,
  },
  {
    name: 'frame: an expired value is exposed',
    rule: 'W11',
    edits: one(
      `${storage}/plain-records.js`,
      '(info & (validValue | unusual)) !== validValue',
      '(info & validValue) !== validValue',
    ),
    expiry: true,
  },
  {
    name: 'a conditional write loses its end of life',
    rule: 'W11 RMW2',
    edits: one(`${node}/conditions.js`, 'expiresAtMs: message.expiresAtMs,', 'expiresAtMs: 0,'),
    expiry: true,
  },
  {
    name: 'a replay loses the end of life',
    rule: 'W11 R3',
    edits: one(`${node}/peer-writes.js`, 'expiresAtMs: store.expiresAtMs(record),', 'expiresAtMs: 0,'),
    expiry: true,
    quick: true,
  },
  {
    name: 'what is taken over loses its end of life',
    rule: 'W11 R3',
    edits: one(
      `${node}/answers.js`,
      'answer.expiresAtMs = hasEntry ? store.expiresAtMs(record) : 0;',
      'answer.expiresAtMs = 0;',
    ),
    bias: 'siblings',
    expiry: true,
  },
  {
    name: 'a copy loses the end of life',
    rule: 'W11 M5',
    edits: one(`${node}/walks.js`, 'expiresAtMs: store.expiresAtMs(record),', 'expiresAtMs: 0,'),
    bias: 'moves',
    expiry: true,
  },
  {
    name: 'what a disk has loses its end of life',
    rule: 'W11 D2',
    edits: one(
      `${node}/attic.js`,
      'store.write(record, version, value, expiresAtMs, nowMs);',
      'store.write(record, version, value, 0, nowMs);',
    ),
    bias: 'disasters',
    disks: true,
    expiry: true,
  },
  {
    name: 'an expired value is dropped as soon as a tombstone would be',
    rule: 'W10',
    edits: one(
      `${node}/sweeper.js`,
      '(expiresAtMs + tombstoneMs) * 1000 > clockUs',
      'expiresAtMs * 1000 > clockUs',
    ),
    bias: 'tombstones',
    expiry: true,
  },
];
