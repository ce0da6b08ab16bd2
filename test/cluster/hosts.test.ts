// A cluster over several hosts, each with a network of its own: nodes that join from elsewhere take over slots, and a
// cable that is pulled splits the cluster without splitting its mind.
import { expect } from 'chai';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ClusterStatus } from '../../src/testing/index.js';
import { nodeOf } from '../support/cluster-fixture.js';
import { eventually, stretch } from '../support/cluster-until.js';
import { type Host, type HostProcess, Hosts, whyNoHosts } from '../support/hosts.js';
import { type RemoteAnswer, RemoteClient } from '../support/remote-client.js';

const gtstore = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const forwarder = fileURLToPath(new URL('../support/forwarder-process.js', import.meta.url));
const leaseMs = 2000;
/** Between the answer of a node and when the client's process has looked at the clock. */
const noticeMsMax = 500;
const quickMs = 300;

function lasted({ startedAtMs, endedAtMs }: RemoteAnswer): number {
  return endedAtMs - startedAtMs;
}

describe('several hosts', function () {
  this.timeout(90_000);
  let hosts: Hosts;
  let dataDir = '';
  let manager = '';
  let [a, b, c]: (Host | undefined)[] = [];
  const clients = new Map<Host, RemoteClient>();
  const processes: HostProcess[] = [];

  /** Client of that host. */
  function on(host: Host | undefined): RemoteClient {
    const client = host === undefined ? undefined : clients.get(host);
    if (client === undefined) throw new Error('there is no client on that host');
    return client;
  }

  function run(host: Host | undefined, ...args: string[]): void {
    if (host === undefined) throw new Error('there is no such host');
    processes.push(host.run(gtstore, args));
  }

  function untilStatus(what: string, isWanted: (status: ClusterStatus) => boolean): Promise<ClusterStatus> {
    let last: ClusterStatus | undefined;
    return eventually(what, async () => {
      last = await on(a).status();
      return last !== undefined && isWanted(last) ? last : undefined;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}; last status: ${JSON.stringify(last)}`, { cause: error });
    });
  }

  /** Whether these and no others hold everything, each of them all of it. */
  function isHeldBy(status: ClusterStatus, ids: readonly number[]): boolean {
    return status.nodes.every(({ id, replicaSlots, state }) =>
      ids.includes(id) ? state === 'up' && replicaSlots === status.slots : replicaSlots === 0,
    );
  }

  async function killHome(id: number, heirs: readonly number[]): Promise<void> {
    process.kill(nodeOf(await untilStatus('any', () => true), id).pid, 'SIGKILL');
    await untilStatus(`nodes ${heirs.join(' and ')} hold everything`, (status) => isHeldBy(status, heirs));
  }

  before(async function () {
    const why = whyNoHosts();
    if (why !== undefined) {
      console.log(`    several hosts are not tested: ${why}`);
      this.skip();
    }
    this.timeout(60_000);
    hosts = new Hosts(3);
    [a, b, c] = hosts.all;
    dataDir = await mkdtemp(join(tmpdir(), 'gtstore-hosts-'));
    manager = `${a?.address ?? ''}:7400`;
    const small = ['-n', '2', '-k', '2', '--no-respawn', '--lease-ms', String(leaseMs)];
    const place = ['--host', a?.address ?? '', '--data-dir', dataDir, '--durability', 'none'];
    run(a, 'start', ...small, ...place);
    await eventually('the cluster is ready', () => processes[0]?.output().includes('GTStore ready'));
    for (const host of hosts.all) clients.set(host, new RemoteClient(host, manager));
    for (const [host, id] of [
      [b, 2],
      [c, 3],
    ] as const) {
      run(host, 'node', '--manager', manager);
      await untilStatus(`node ${id} has joined`, ({ nodes }) => nodes.some((node) => node.id === id));
    }
    expect((await on(b).put('kept', 'from the beginning')).outcome).to.equal('done');
    // The nodes of the manager's host fail one after the other: those of the other hosts take over.
    await killHome(0, [1, 2]);
    await killHome(1, [2, 3]);
  });

  afterEach(function () {
    for (const host of hosts.all) host.heal();
    if (this.currentTest?.state !== 'failed') return;
    for (const { output } of processes) console.error(output().split('\n').slice(-40).join('\n'));
  });

  after(async function () {
    this.timeout(60_000);
    if (dataDir === '') return;
    await hosts.end();
    await rm(dataDir, { recursive: true });
  });

  it('nodes of other hosts are reached by everybody where they listen, and take over with all data', async () => {
    const status = await untilStatus('any', () => true);
    expect(nodeOf(status, 2).host).to.equal(b?.address);
    expect(nodeOf(status, 3).host).to.equal(c?.address);
    for (const host of hosts.all) {
      expect((await on(host).get('kept')).value).to.equal('from the beginning');
      expect((await on(host).put(`of-${host.name}`, host.name)).outcome).to.equal('done');
    }
    for (const host of hosts.all) expect((await on(b).get(`of-${host.name}`)).value).to.equal(host.name);
  });

  it('M1, M3: a host that is cut off stops serving within the lease, the others go on, and it is filled again when the cut heals', async () => {
    expect((await on(c).put('seen', 'before')).outcome).to.equal('done');
    expect((await on(b).get('seen')).value).to.equal('before');
    const before = await untilStatus('any', () => true);
    b?.cut();
    const cutAtMs = Date.now();
    const reads: RemoteAnswer[] = [];
    let isOver = false;
    const reading = (async () => {
      while (!isOver) reads.push(await on(b).get('seen', quickMs));
    })();
    const written = await on(c).put('seen', 'after');
    expect(written.outcome).to.equal('done');
    expect((await on(a).get('seen')).value).to.equal('after');
    expect((await on(b).put('not seen', 'by the wrong side', quickMs)).outcome).not.to.equal('done');
    await stretch(leaseMs);
    isOver = true;
    await reading;
    const answered = reads.filter(({ outcome }) => outcome === 'done');
    for (const { value, endedAtMs } of answered) {
      expect(value).to.equal('before');
      expect(endedAtMs - cutAtMs, 'a read on the cut side').to.be.below(leaseMs + noticeMsMax);
    }
    expect(
      answered.filter(({ startedAtMs }) => startedAtMs > written.endedAtMs),
      'reads of what had been overwritten',
    ).to.deep.equal([]);
    expect(answered.length).to.be.below(reads.length);
    b?.heal();
    const after = await untilStatus('it is whole again', (status) => isHeldBy(status, [2, 3]));
    expect(after.epoch).to.be.above(before.epoch);
    expect(nodeOf(after, 2).incarnation, 'it joined anew').to.be.above(nodeOf(before, 2).incarnation);
    expect(nodeOf(after, 3).incarnation).to.equal(nodeOf(before, 3).incarnation);
    const read = await eventually('the side that was cut off reads again', async () => {
      const answer = await on(b).get('seen', quickMs);
      return answer.outcome === 'done' ? answer : undefined;
    });
    expect(read.value).to.equal('after');
  });

  it("M8: with the manager's host cut off the others serve on without a failure, and it finds them when the cut heals", async () => {
    const failures: string[] = [];
    let slowestMs = 0;
    let isOver = false;
    const lanes = [on(b), on(c)].map(async (client, lane) => {
      for (let n = 0; !isOver; n++) {
        const put = await client.put(`lane-${lane}`, String(n));
        const get = await client.get(`lane-${lane}`);
        slowestMs = Math.max(slowestMs, lasted(put), lasted(get));
        if (put.outcome !== 'done' || get.outcome !== 'done') failures.push(`${put.outcome} ${get.outcome}`);
        else if (get.value !== String(n)) failures.push(`read ${String(get.value)} after ${n}`);
      }
    });
    a?.cut();
    await stretch(2.5 * leaseMs);
    a?.heal();
    await untilStatus('it is whole again', (status) => isHeldBy(status, [2, 3]));
    isOver = true;
    await Promise.all(lanes);
    expect(failures).to.deep.equal([]);
    expect(slowestMs, 'nobody waited for a lease').to.be.below(leaseMs);
  });

  it('a node that listens everywhere is reached where it says, and takes over from one that dies', async () => {
    const [address, port] = ['10.77.0.13', '7501'];
    c?.addAddress(address);
    const advertise = ['--advertise', `${address}:${port}`];
    run(c, 'node', '--manager', manager, '--host', '0.0.0.0', '--port', port, ...advertise);
    const joined = await untilStatus('node 4 has joined', ({ nodes }) => nodes.some(({ id }) => id === 4));
    expect(nodeOf(joined, 4)).to.include({ host: address, port: Number(port) });
    await killHome(3, [2, 4]);
    for (const host of hosts.all) {
      expect((await on(host).get('kept')).value).to.equal('from the beginning');
      expect((await on(host).put('advertised', host.name)).outcome).to.equal('done');
    }
  });

  it('a node that others reach only where somebody forwards to it joins, is filled, and takes over from one that dies', async () => {
    const others = [...hosts.all];
    const [gateway, hidden] = [hosts.add(), hosts.add()];
    const [, inner] = gateway.join(hidden, '192.168.77');
    for (const host of others) expect(host.hasWayTo(inner), host.name).to.equal(false);
    const [listened, announced] = [`${inner}:7000`, `${gateway.address}:7501`];
    const forwarding = gateway.run(forwarder, [announced, listened]);
    processes.push(forwarding);
    await eventually('the gateway forwards', () => forwarding.output().includes('forwarding'));
    const place = ['--host', inner, '--port', '7000', '--advertise', announced];
    run(hidden, 'node', '--manager', manager, ...place);
    const joined = await untilStatus('node 5 has joined', ({ nodes }) => nodes.some(({ id }) => id === 5));
    expect(nodeOf(joined, 5)).to.include({ host: gateway.address, port: 7501 });
    await killHome(4, [2, 5]);
    await killHome(2, [5]);
    for (const host of others) {
      expect((await on(host).get('kept')).value).to.equal('from the beginning');
      expect((await on(host).put('behind', host.name)).outcome).to.equal('done');
      expect((await on(host).get('behind')).value).to.equal(host.name);
    }
  });
});
