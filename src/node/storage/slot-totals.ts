/**
 * What is known of every index by its number, in columns: every write and VALIDATE looks here, and the columns
 * of a thousand slots fit into the processor's nearest cache, where as many objects would not.
 */

const numbersStart = 64;
const noSlot = -1;

export class SlotTotals {
  /** The slot; -1: the slot was cleared, and the records are gone though their memory is not free yet. */
  #slots = new Int32Array(numbersStart).fill(noSlot);
  /** Bytes of keys and values. */
  #bytes = new Float64Array(numbersStart);

  /** The index of that number is new. */
  begin(number: number): void {
    if (number >= this.#slots.length) this.#grow();
    this.#bytes[number] = 0;
  }

  #grow(): void {
    const length = 2 * this.#slots.length;
    const slots = new Int32Array(length).fill(noSlot);
    const bytes = new Float64Array(length);
    slots.set(this.#slots);
    bytes.set(this.#bytes);
    this.#slots = slots;
    this.#bytes = bytes;
  }

  /** @returns -1 if it was dropped */
  slotOf(number: number): number {
    return this.#slots[number] ?? noSlot;
  }

  /** The index is that of `slot` from now on. */
  place(number: number, slot: number): void {
    this.#slots[number] = slot;
  }

  drop(number: number): void {
    this.#slots[number] = noSlot;
  }

  bytesOf(number: number): number {
    return this.#bytes[number] ?? 0;
  }

  addBytes(number: number, bytes: number): void {
    this.#bytes[number] = (this.#bytes[number] ?? 0) + bytes;
  }
}
