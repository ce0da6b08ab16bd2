/**
 * One life of a storage node: the production core behind simulated connections. It keeps a connection to the
 * manager and one to every other member of its adopted map; a connection to a process life other than the one the map
 * names is closed and dialled again, as the shell does after a hello with the wrong incarnation.
 */
import { NodeCore } from '../../src/node/core/node-core.js';
import type { ArenaStore } from '../../src/node/storage/arena-store.js';
import type { ClusterMap, MemberNode } from '../../src/protocol/cluster-map.js';
import type { Link, Message } from '../../src/protocol/messages.js';
import type { ManagerProcess } from './manager-process.js';
import { Frames } from './frames.js';
import { dial } from './network.js';
import type { End } from './network.js';
import { SimJournal } from './disk.js';
import { SimProcess } from './process.js';
import { NodeWatch } from './node-watch.js';
import { SimStore } from './store.js';
import { spoilMessage } from './wire.js';
import type { World } from './world.js';

interface Peer {
  member: MemberNode;
  end: End | null;
  wanted: boolean;
}

export class NodeProcess extends SimProcess {
  override readonly isNode = true;
  readonly core: NodeCore;
  readonly store: ArenaStore;
  readonly journal: SimJournal | null;
  readonly port: number;
  /** The manager life that forked it; null: it came from outside. */
  readonly parent: ManagerProcess | null;
  /** The id it was forked with; -1: any. */
  readonly givenId: number;
  readonly watch: NodeWatch;
  /** Own-clock time of the last lease that came. */
  leasedAtMs = -Infinity;
  /** The latest incarnation it was given. */
  lastIncarnation = 0;
  /** Since the last one at which it acted. */
  #ticks = 0;
  #managerEnd: End | null = null;
  readonly #peers = new Map<number, Peer>();
  readonly #frames: Frames;

  constructor(world: World, givenId: number, parent: ManagerProcess | null, port: number) {
    super(world);
    this.#frames = new Frames(world);
    this.givenId = givenId;
    this.parent = parent;
    this.port = port;
    this.store = new SimStore(world, this.pid);
    const disk = world.diskOf(givenId);
    this.journal =
      disk === undefined
        ? null
        : new SimJournal(world, disk, this.store, (run) => {
            this.post(() => {
              run();
              this.core.onSaved();
              this.watch.check();
            });
          });
    if (disk !== undefined) disk.owner = this;
    this.core = new NodeCore({
      ports: {
        nowMs: () => this.nowMs(),
        nextTurn: (work) => {
          world.queue.after(0, () => {
            this.post(() => {
              work();
              this.watch.check();
            });
          });
        },
        random: () => world.prng.next(),
        peer: (id) => this.#peer(id),
        manager: () => (this.#managerEnd?.open === true ? this.#managerEnd : undefined),
        mapAdopted: (map) => {
          this.#mapAdopted(map);
        },
        identityChanged: (_nodeId, incarnation) => {
          this.#identityChanged(incarnation);
        },
        stopOrdered: () => {
          world.nodeStops(this);
        },
        log: (_level, text) => {
          if (world.isTracing) world.trace(`${this.name}: ${text}`);
        },
      },
      store: this.store,
      ...(this.journal === null ? {} : { journal: this.journal }),
      address: {
        host: 'sim',
        port,
        pid: this.pid,
        hostLabel: world.tasks.labelOf(givenId >= 0 ? givenId : this.pid),
      },
      ...(givenId >= 0 ? { nodeId: givenId } : {}),
      timings: world.plan.nodeTimings,
    });
    this.watch = new NodeWatch(this);
    disk?.load(this.core.attic, this.nowMs());
    this.startTicking();
    this.#dialManager();
  }

  get name(): string {
    const { nodeId, incarnation } = this.core.membership;
    return `N${nodeId}/${incarnation}#${this.pid}`;
  }

  override crash(): void {
    if (this.alive) this.journal?.crash();
    super.crash();
  }

  incarnation(): number {
    return this.core.membership.incarnation;
  }

  protected override onSuspended(): void {
    this.core.lease.onSuspended();
  }

  tick(): void {
    if (++this.#ticks < this.world.plan.calmTicks && !this.core.isBusy) return;
    this.#ticks = 0;
    this.core.tick();
    this.watch.check();
  }

  receive(end: End, message: Message): void {
    const { world } = this;
    world.delivered(end, message);
    if (end === this.#managerEnd) {
      this.watch.fromManager(message);
      this.core.onManagerMessage(message);
    } else if (end === end.conn.acceptor) {
      this.watch.requested(end, message);
      const { plain } = this.core.replica;
      const taken = this.#frames.offer(message, (buffer, from, to) => plain.onFrame(end, buffer, from, to));
      if (!taken) this.core.onRequest(end, message);
    } else {
      const id = this.#idOf(end);
      if (id !== undefined) this.core.onPeerMessage(id, message);
    }
    spoilMessage(message);
    this.watch.handled();
    this.watch.check();
  }

  #idOf(end: End): number | undefined {
    for (const [id, peer] of this.#peers) if (peer.end === end) return id;
    return undefined;
  }

  onEndAccepted(_end: End): void {
    // An inbound connection is known by its first request.
  }

  onEndClosed(end: End): void {
    if (end === this.#managerEnd) {
      this.#managerEnd = null;
      this.core.onManagerDown();
      this.#dialManagerLater();
    } else if (end === end.conn.acceptor) {
      this.core.onLinkClosed(end);
    } else {
      for (const [id, peer] of this.#peers) {
        if (peer.end !== end) continue;
        const wasUsable = end.farIncarnation === peer.member.incarnation;
        peer.end = null;
        if (wasUsable) this.core.onPeerDown(id);
        this.#dialPeerLater(id, peer);
      }
    }
    this.watch.check();
  }

  #peer(id: number): Link | undefined {
    const peer = this.#peers.get(id);
    const end = peer?.end;
    return end?.open === true && end.farIncarnation === peer?.member.incarnation ? end : undefined;
  }

  #dialManager(): void {
    const { world } = this;
    dial(world, this, {
      resolve: () => world.manager,
      opened: (end) => {
        this.#managerEnd = end;
        this.core.onManagerUp();
      },
      failed: () => {
        this.#dialManagerLater();
      },
    });
  }

  #dialManagerLater(): void {
    this.world.queue.after(this.world.redialMs(), () => {
      this.post(() => {
        if (this.#managerEnd === null) this.#dialManager();
      });
    });
  }

  #mapAdopted(map: ClusterMap): void {
    this.world.observer.mapAdopted(this.name, map);
    for (const [id, peer] of this.#peers) {
      const member = map.node(id);
      if (member?.port === peer.member.port && member.incarnation === peer.member.incarnation) continue;
      peer.wanted = false;
      this.#peers.delete(id);
      if (peer.end?.open === true) peer.end.close();
    }
    for (const member of map.nodes) {
      if (member.id === this.core.membership.nodeId || this.#peers.has(member.id)) continue;
      const peer: Peer = { member, end: null, wanted: true };
      this.#peers.set(member.id, peer);
      this.#dialPeer(member.id, peer);
    }
  }

  #dialPeer(id: number, peer: Peer): void {
    dial(this.world, this, {
      resolve: () => this.world.nodeAt(peer.member.port),
      opened: (end) => {
        if (!peer.wanted) {
          end.close();
        } else if (end.farIncarnation !== peer.member.incarnation) {
          end.close();
          this.#dialPeerLater(id, peer);
        } else {
          peer.end = end;
        }
      },
      failed: () => {
        this.#dialPeerLater(id, peer);
      },
    });
  }

  #dialPeerLater(id: number, peer: Peer): void {
    this.world.queue.after(this.world.redialMs(), () => {
      this.post(() => {
        if (peer.wanted && peer.end === null) this.#dialPeer(id, peer);
      });
    });
  }

  #identityChanged(incarnation: number): void {
    const { world } = this;
    this.lastIncarnation = Math.max(this.lastIncarnation, incarnation);
    if (incarnation === 0) {
      world.coverage.note('rejoinedAlive');
      if (world.plan.closesOnRemoval) {
        for (const end of [...this.ends]) {
          if (end !== end.conn.acceptor) continue;
          end.close();
          this.core.onLinkClosed(end);
        }
      }
    }
    world.observer.identitiesChanged();
  }
}
