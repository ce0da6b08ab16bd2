// Several clients do all kinds of operations on a few hot keys while nodes and the manager are killed, paused and
// started again; whatever they were told must be explained by one order of events per key.
//
// GTSTORE_CHAOS_SECONDS=600 npm run test:cluster -- -g chaos     a campaign: rounds of fresh keys, for ten minutes
// GTSTORE_CHAOS_SEED=7 ...                                       the strokes and operations of an earlier run
// (The seed repeats what is done, not when the system's scheduler lets it happen.)
import { expect } from 'chai';
import { Prng } from '../sim/prng.js';
import { Chaos } from '../support/cluster-chaos.js';
import { useCluster } from '../support/cluster-fixture.js';
import { HotKeys } from '../support/cluster-history.js';

const campaignSeconds = Number(process.env['GTSTORE_CHAOS_SECONDS'] ?? 0);
const seed = Number(process.env['GTSTORE_CHAOS_SEED'] ?? Date.now() % 1_000_000);
const roundMs = 12_000;
const healMsMax = 60_000;
/** Deadlines of the clients. Failover is much quicker, a busy machine included. */
const timeoutMs = 10_000;
/** Twice: a conditional write is recorded with the read before it. */
const lateMsMax = timeoutMs + 1000;
const everyMs = 5;
const leaseMs = 2000;

describe('linearizability under chaos', function () {
  this.timeout(campaignSeconds * 1000 + 2 * (roundMs + healMsMax));
  const fixture = useCluster({ nodes: 5, replicas: 3, leaseMs });

  async function round(number: number): Promise<void> {
    const { cluster } = fixture;
    const roundSeed = seed + number;
    const chaos = new Chaos(cluster, new Prng(roundSeed), leaseMs);
    const random = new Prng(roundSeed + 1_000_000);
    const hot = new HotKeys(
      [1, 2, 3, 4].map((n) => `round-${number}-${n}`),
      random,
    );
    const lane = async (name: string, readFrom: 'primary' | 'any') => {
      const store = await fixture.open({ readFrom, timeoutMs });
      hot.start(name, store, everyMs);
      return store;
    };
    const reader = await lane('a', 'primary');
    await lane('b', 'primary');
    await lane('c', 'any');
    await lane('d', 'any');
    let mortal = await lane('mortal', 'any');
    const endMs = performance.now() + roundMs;
    try {
      while (performance.now() < endMs) {
        await chaos.strike();
        // A client that ends in the middle of what it does, and another that comes.
        await mortal.finalize();
        mortal = await lane(`mortal ${chaos.struck.length}`, 'any');
      }
      const counts = await hot.stop(reader);
      const strokes = chaos.struck.join('; ');
      console.log(`      seed ${roundSeed}: ${hot.describe(counts)}; ${strokes}`);
      expect(counts.operations).to.be.above(200);
      expect(counts.slowestMs, 'slowest call').to.be.below(timeoutMs + lateMsMax);
      expect(counts.failed, 'failed calls').to.be.at.most(counts.operations / 50);
    } catch (error) {
      throw new Error(`seed ${roundSeed}: ${chaos.struck.join('; ')}: ${String(error)}`, { cause: error });
    }
  }

  it('W1-W10, R1-R4, RMW1-RMW5: histories of a chaos run are linearizable, reads from any replica included', async () => {
    const endMs = performance.now() + campaignSeconds * 1000;
    let number = 0;
    do await round(number++);
    while (performance.now() < endMs);
  });
});
