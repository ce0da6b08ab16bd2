/** How far `gtstore bench` is: one bar a phase, one after the other, if there is a terminal. */
import type { Phase } from '../load/index.js';
import { type ProgressBar, type Screen, progressBar } from '../terminal/progress-bar.js';

const labels: Readonly<Record<Phase, string>> = {
  filling: 'storing keys',
  'warming-up': 'warming up (s)',
  measuring: 'measuring (s)',
  deleting: 'deleting keys',
};

export class PhaseBar {
  readonly #screen: Screen;
  #phase: Phase | undefined;
  #total = 0;
  #bar: ProgressBar | undefined;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  /** @param total - of the phase, as far as it is known by now */
  show(phase: Phase, done: number, total: number, rate: number): void {
    const isTimed = phase === 'warming-up' || phase === 'measuring';
    const units = isTimed ? 1000 : 1;
    if (this.#phase !== phase || this.#total !== total) {
      if (this.#phase !== phase) this.clear();
      this.#phase = phase;
      this.#total = total;
      this.#bar = progressBar(this.#screen, labels[phase], Math.ceil(total / units));
    }
    this.#bar?.show(Math.floor(done / units), `${Math.round(rate).toLocaleString('en')} op/s`);
  }

  clear(): void {
    this.#bar?.clear();
    this.#bar = undefined;
  }
}
