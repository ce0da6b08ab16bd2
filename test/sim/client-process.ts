/** One life of a client: the production core, connections to the manager and to every node of its map, and lanes of operations. */
import { ClientCore } from '../../src/client/core/client-core.js';
import { ManagerTime } from '../../src/client/core/manager-time.js';
import type { Operation } from '../../src/client/core/operation.js';
import type { ClusterMap, MemberNode } from '../../src/protocol/cluster-map.js';
import { clockDriftRatio } from '../../src/protocol/settings.js';
import type { Message } from '../../src/protocol/messages.js';
import { NodeProcess } from './node-process.js';
import { dial } from './network.js';
import type { End } from './network.js';
import { SimProcess } from './process.js';
import { spoilMessage } from './wire.js';
import type { World } from './world.js';

interface Server {
  member: MemberNode;
  end: End | null;
  /** That came from it: messages, each taken for so much. */
  bytes: number;
  wanted: boolean;
}

/** What the workload keeps with each operation. */
export interface OperationContext {
  completed: (operation: Operation) => void;
}

/** After so long a client asks the manager for its clock once more: its own drifts. */
const freshMs = 3000;

export class ClientProcess extends SimProcess {
  readonly core: ClientCore;
  readonly #clockErrorMs: number;
  readonly #time = new ManagerTime(() => this.nowMs());
  #learntAtMs = 0;
  /** By which that was off. */
  #learntOffMs = 0;
  /** It learns the clock anew from the manager, or from a node. */
  #mustLearnClock = false;
  #managerEnd: End | null = null;
  readonly #servers = new Map<number, Server>();
  /** What comes from nodes is much to every other client. */
  readonly #messageBytes = this.pid % 2 === 0 ? 100 : 10_000;

  constructor(world: World) {
    super(world);
    const { plan, prng } = world;
    const error = plan.clientClockErrorMs;
    const isBehind = plan.bias === 'oldWrites';
    this.#clockErrorMs = prng.chance(0.5) ? 0 : prng.between(-error, isBehind ? -error / 2 : error);
    this.#learnClock(world.managerClockUs());
    this.core = new ClientCore({
      ports: {
        nowMs: () => this.nowMs(),
        clockUs: () => this.#time.clockUs,
        random: () => prng.next(),
        node: (id) => {
          const server = this.#servers.get(id);
          const end = server?.end;
          return end?.open === true && end.farIncarnation === server?.member.incarnation ? end : undefined;
        },
        bytesFrom: (id) => this.#servers.get(id)?.bytes ?? 0,
        manager: () => (this.#managerEnd?.open === true ? this.#managerEnd : undefined),
        broadcast: (links, message) => {
          for (const link of links) link.send(message);
        },
        mapAdopted: (map) => {
          this.#mapAdopted(map);
        },
        completed: (operation) => {
          (operation.context as OperationContext).completed(operation);
        },
      },
      // Small, so that traces are readable; unique.
      clientId: 1000 + this.pid,
      readFrom: prng.chance(plan.readFromAny) ? 'any' : 'primary',
      timings: plan.clientTimings,
      // To one in three every value is a large one, of which it writes one at a time.
      ...(this.pid % 3 === 0 ? { largeWrites: { bytesMin: 1, bytesEnough: 1, msMax: 50 } } : {}),
    });
    this.startTicking();
    this.#dialManager();
  }

  #learnClock(clockUs: number): void {
    const { world } = this;
    // Virtual time: both clocks drift while the host sleeps, too.
    this.#learntAtMs = world.queue.nowMs;
    this.#learntOffMs = Math.abs(clockUs - world.managerClockUs()) / 1000;
    this.#time.learnt(this.#time.offsetOf(clockUs + this.#clockErrorMs * 1000, 0));
  }

  #learnClockAnew(clockUs: number): void {
    if (!this.#mustLearnClock) return;
    this.#mustLearnClock = false;
    this.#learnClock(clockUs);
    this.core.hostSleep.clockLearnt();
  }

  /** The manager may be away: some node says in its greeting what it knows, until somebody has told it. */
  #askNodeForClock(): void {
    const nodes = this.core.map?.nodes ?? [];
    if (!this.#mustLearnClock || nodes.length === 0) return;
    const { port } = this.world.prng.pick(nodes);
    const again = (): void => {
      this.#later(() => {
        this.#askNodeForClock();
      });
    };
    dial(this.world, this, {
      resolve: () => this.world.nodeAt(port),
      opened: (end) => {
        const { owner } = end.far;
        const clock = owner instanceof NodeProcess ? owner.core.lease.clock : undefined;
        if (clock?.isSure === true) this.#learnClockAnew(clock.nowUs());
        end.close();
        again();
      },
      failed: again,
    });
  }

  /** Cluster-clock milliseconds at which a value ends that is written now. @throws Violation if the clock is further off than is known */
  expiryOf(ttlMs: number): number {
    const clockUs = this.#time.lifeClockUs;
    const driftMs = (this.world.queue.nowMs - this.#learntAtMs) * clockDriftRatio;
    const offMs = (clockUs - this.world.managerClockUs()) / 1000;
    if (Math.abs(offMs) > Math.abs(this.#clockErrorMs) + this.#learntOffMs + driftMs + 1)
      this.world.fail(`W11: ${this.name} counts a time to live from ${offMs.toFixed(3)} ms off`);
    return Math.ceil(clockUs / 1000 + ttlMs);
  }

  protected override onSuspended(forMs: number): void {
    this.#time.slept(forMs);
    this.#mustLearnClock = true;
    this.core.hostSleep.suspended(forMs);
    this.#askNodeForClock();
    const end = this.#managerEnd;
    if (end === null) return;
    end.close();
    this.onEndClosed(end);
  }

  get name(): string {
    return `C#${this.pid}`;
  }

  incarnation(): number {
    return 0;
  }

  tick(): void {
    const isStale = this.world.queue.nowMs - this.#learntAtMs > freshMs;
    if (isStale && this.#managerEnd?.open === true) this.#learnClock(this.world.managerClockUs());
    this.core.tick();
  }

  receive(end: End, message: Message): void {
    this.world.delivered(end, message);
    if (end === this.#managerEnd) {
      this.core.onManagerMessage(message);
    } else {
      for (const [id, server] of this.#servers) {
        if (server.end !== end) continue;
        server.bytes += this.#messageBytes;
        this.core.onNodeMessage(id, message);
        break;
      }
    }
    spoilMessage(message);
  }

  onEndAccepted(_end: End): void {
    this.world.fail('somebody dialled a client');
  }

  onEndClosed(end: End): void {
    if (end === this.#managerEnd) {
      this.#managerEnd = null;
      this.#later(() => {
        this.#dialManager();
      });
      return;
    }
    for (const [id, server] of this.#servers) {
      if (server.end !== end) continue;
      server.end = null;
      this.core.onNodeDown(id);
      this.#later(() => {
        this.#dialServer(id, server);
      });
    }
  }

  #later(run: () => void): void {
    this.world.queue.after(this.world.redialMs(), () => {
      this.post(run);
    });
  }

  #dialManager(): void {
    const { world } = this;
    dial(world, this, {
      resolve: () => world.manager,
      opened: (end) => {
        this.#managerEnd = end;
        this.#learnClockAnew(world.managerClockUs());
        this.core.wantMap();
      },
      failed: () => {
        this.#later(() => {
          this.#dialManager();
        });
      },
    });
  }

  #mapAdopted(map: ClusterMap): void {
    this.world.observer.mapAdopted(this.name, map);
    for (const [id, server] of this.#servers) {
      const member = map.node(id);
      if (member?.port === server.member.port && member.incarnation === server.member.incarnation) continue;
      server.wanted = false;
      this.#servers.delete(id);
      if (server.end?.open === true) server.end.close();
    }
    for (const member of map.nodes) {
      if (this.#servers.has(member.id)) continue;
      const server: Server = { member, end: null, bytes: 0, wanted: true };
      this.#servers.set(member.id, server);
      this.#dialServer(member.id, server);
    }
  }

  #dialServer(id: number, server: Server): void {
    if (!server.wanted || server.end !== null) return;
    const again = (): void => {
      this.#later(() => {
        this.#dialServer(id, server);
      });
    };
    dial(this.world, this, {
      resolve: () => this.world.nodeAt(server.member.port),
      opened: (end) => {
        if (!server.wanted) {
          end.close();
        } else if (end.farIncarnation !== server.member.incarnation) {
          end.close();
          again();
        } else {
          server.end = end;
          this.core.onNodeUp(id);
        }
      },
      failed: again,
    });
  }
}
