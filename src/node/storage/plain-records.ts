/**
 * The quick ways to the records that nearly all are: without extension, in a block of the arena. What is needed of the
 * fixed part is read at once.
 */
import type { PlainValue } from '../../protocol/messages.js';
import { Hold } from '../core/store.js';
import type { RecordId } from '../core/store.js';
import { clientIdAt, Flag, keyLengthMask, keyLengthShift, Word } from './record-table.js';
import { plainWords, Records, unusual } from './records.js';
import { SlotTotals } from './slot-totals.js';

const validValue = Flag.valid | Flag.hasValue;
const work = Flag.firstHold * Hold.work;

export class PlainRecords extends Records {
  protected readonly totals = new SlotTotals();

  plainValueOf(record: RecordId, to: PlainValue): boolean {
    const { words, floats } = this.table.pageOf(record);
    const at = this.table.wordOf(record);
    const info = words[at + Word.keyAndFlags] ?? 0;
    if ((info & (validValue | unusual)) !== validValue) return false;
    const ref = words[at + Word.block] ?? 0;
    to.hlc = floats[at >>> 1] ?? 0;
    to.clientId = clientIdAt(words, at);
    to.memory = this.blocks.pageOf(ref).buffer;
    to.at = this.#valueAt(ref, info);
    to.length = words[at + Word.valueLength] ?? 0;
    return true;
  }

  writePlain(
    record: RecordId,
    hlc: number,
    clientId: number,
    memory: ArrayBufferLike,
    memoryAt: number,
    length: number,
    storedAtMs: number,
  ): boolean {
    const { words } = this.table.pageOf(record);
    const at = this.table.wordOf(record);
    const info = words[at + Word.keyAndFlags] ?? 0;
    if ((info & unusual) !== 0 || words[at + Word.valueLength] !== length) return false;
    this.table.setWritten(record, hlc, clientId, storedAtMs, true);
    const ref = words[at + Word.block] ?? 0;
    const value = new Uint8Array(memory, memoryAt, length);
    this.blocks.pageOf(ref).bytes.set(value, this.#valueAt(ref, info));
    return true;
  }

  validatePlain(record: RecordId, hlc: number, clientId: number): boolean {
    if (!this.table.hasPage(record)) return false;
    const { words, floats } = this.table.pageOf(record);
    const at = this.table.wordOf(record);
    const info = words[at + Word.keyAndFlags] ?? 0;
    const index = (words[at + Word.clientHigh] ?? 0) >>> 16;
    if ((info & (Flag.present | Flag.extended | work)) !== Flag.present || this.totals.slotOf(index) < 0)
      return false;
    if (floats[at >>> 1] !== hlc) return false;
    if (clientIdAt(words, at) !== clientId) return false;
    if ((info & Flag.valid) !== 0) return true;
    words[at + Word.keyAndFlags] = info | Flag.valid;
    return true;
  }

  /** Where the value lies in the memory of its page. @param info the record's last word */
  #valueAt(ref: number, info: number): number {
    return 4 * (this.blocks.wordOf(ref) + plainWords) + ((info >>> keyLengthShift) & keyLengthMask);
  }
}
