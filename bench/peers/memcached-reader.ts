/** Cuts what memcached says to `set` and `get` of one key into answers. */
export class MemcachedReader {
  readonly #onAnswer: (status: string, value: string | undefined) => void;
  #text = '';

  constructor(onAnswer: (status: string, value: string | undefined) => void) {
    this.#onAnswer = onAnswer;
  }

  read(chunk: string): void {
    this.#text += chunk;
    let pos = 0;
    for (;;) {
      const next = this.#take(pos);
      if (next === undefined) break;
      pos = next;
    }
    this.#text = this.#text.slice(pos);
  }

  /** @returns where the next answer begins, or undefined if this one is not there yet */
  #take(pos: number): number | undefined {
    const lineEnd = this.#text.indexOf('\r\n', pos);
    if (lineEnd < 0) return undefined;
    const line = this.#text.slice(pos, lineEnd);
    if (!line.startsWith('VALUE ')) {
      this.#onAnswer(line, undefined);
      return lineEnd + 2;
    }
    // VALUE key flags bytes, the value, END
    const from = lineEnd + 2;
    const to = from + Number(line.slice(line.lastIndexOf(' ') + 1));
    const end = to + '\r\nEND\r\n'.length;
    if (this.#text.length < end) return undefined;
    this.#onAnswer('END', this.#text.slice(from, to));
    return end;
  }
}
