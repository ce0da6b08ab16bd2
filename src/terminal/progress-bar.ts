/** One line on a terminal that says how far it is. Into a pipe or a file it writes nothing. */

/** Where it is drawn: `process.stderr` is one. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface ProgressBar {
  /** @param note - what there is to say besides, such as the present speed */
  show(done: number, note?: string): void;
  /** Takes the line away. */
  clear(): void;
}

const redrawMs = 100;
const eraseLine = '\r\u001b[K';

export function progressBar(screen: Screen, label: string, total: number): ProgressBar {
  if (screen.isTTY !== true) return { show: () => undefined, clear: () => undefined };
  let drawnAt = -Infinity;
  return {
    show(done, note = '') {
      const now = performance.now();
      if (now - drawnAt < redrawMs && done < total) return;
      drawnAt = now;
      // Some terminals do not know their width, or say 0.
      const columns = screen.columns === undefined || screen.columns === 0 ? 80 : screen.columns;
      const width = Math.max(0, Math.min(40, columns - label.length - note.length - 30));
      // Whoever counts may find more to do than was known at first: a display is no reason to fail.
      const all = Math.max(1, total, done);
      const filled = Math.round((width * done) / all);
      const percent = Math.floor((100 * done) / all);
      const bar = `${'#'.repeat(filled)}${'-'.repeat(width - filled)}`;
      const amount = `${done}/${Math.max(total, done)}`;
      const line = `${label} [${bar}] ${percent} % ${amount}${note === '' ? '' : `  ${note}`}`;
      // What goes on in the next line is not erased: each redraw would leave one behind.
      screen.write(eraseLine + line.slice(0, columns - 1));
    },
    clear: () => void screen.write(eraseLine),
  };
}
