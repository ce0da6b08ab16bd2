// Who is cut off when too much waits for all clients together (ADR 24).
import { expect } from 'chai';
import { SlowReaders } from '../../src/transport/slow-readers.js';
import { SlowSenders } from '../../src/transport/slow-senders.js';

for (const [what, Kind] of [['readers', SlowReaders] as const, ['senders', SlowSenders] as const]) {
  describe(`slow ${what}`, () => {
    it('make room for whoever is given more than each of them, and is as fast as he can', () => {
      const cutOff: string[] = [];
      const clients = new Kind(() => 1000);
      const client = (remote: string): Parameters<SlowReaders['note']>[0] => ({
        remote,
        destroy: () => cutOff.push(remote),
        goOn: () => undefined,
      });
      for (let n = 1; n <= 12; n++) clients.note(client(`slow ${n}`), 80);
      const started = performance.now();
      while (performance.now() - started < 10) clients.note(client('idle'), 0);
      clients.note(client('quick'), 150);
      expect(cutOff).to.have.length(2);
      for (const remote of cutOff) expect(remote).to.match(/^slow/);
    });
  });
}
