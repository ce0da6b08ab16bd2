/**
 * A storage node without sockets, timers or processes: messages in, messages out. The shell (or the simulator)
 * calls it for every message, for connections that come and go, and `tick` again and again, more often while `isBusy`.
 *
 * The parts, in reading order: membership (who am I, which slots are mine), lease (may I serve), reach (who can be
 * reached), replica (reads, writes, replays), conditions (compare-and-set at the primary), learner and walks (filling,
 * both sides), sweeper. This class joins them and adopts maps (M7, M8).
 *
 * Trust: only the manager's own connection may give leases, maps, fences and identities; a peer's connection may
 * answer what was asked of it; anybody else may only ask, and for a copy of a slot only if he says that he is a node.
 */
import { ClusterMap } from '../../protocol/cluster-map.js';
import type { ClusterMapData } from '../../protocol/cluster-map.js';
import { ProtocolError } from '../../protocol/errors.js';
import { changed } from '../../protocol/map-change.js';
import { MessageType } from '../../protocol/messages.js';
import type {
  FenceMessage,
  Link,
  MapChangeMessage,
  Message,
  RegisteredMessage,
  RemovedMessage,
} from '../../protocol/messages.js';
import { Attic } from './attic.js';
import { Conditions } from './conditions.js';
import { DiskWatch } from './disk-watch.js';
import { noJournal } from './journal.js';
import type { Journal } from './journal.js';
import type { Condition } from './key-work.js';
import { Learner } from './learner.js';
import { Lease } from './lease.js';
import type { Holdings } from './lease.js';
import { Membership, Role } from './membership.js';
import type { RoleChange } from './membership.js';
import { PeerReach } from './peer-reach.js';
import type { PeerWrite } from './peer-writes.js';
import { nodeTimings } from './ports.js';
import type { NodeAddress, NodePorts, NodeTimings, ReplicaOwner } from './ports.js';
import { Replica } from './replica.js';
import { LoadReporter } from './slot-loads.js';
import type { KeyStore, RecordId } from './store.js';
import { Sweeper } from './sweeper.js';
import { Walks } from './walks.js';

/** At least this long between two requests for a map. */
const mapWantedEveryMs = 10;

export interface NodeCoreOptions {
  readonly ports: NodePorts;
  readonly store: KeyStore;
  /** Where it keeps its records beyond the process; default: nowhere. */
  readonly journal?: Journal;
  readonly address: NodeAddress;
  /** The id the manager forked it with; undefined: the manager assigns one. */
  readonly nodeId?: number;
  readonly timings?: NodeTimings;
}

export class NodeCore implements ReplicaOwner {
  readonly membership = new Membership();
  readonly lease: Lease;
  readonly replica: Replica;
  readonly attic: Attic;
  readonly #ports: NodePorts;
  readonly #address: NodeAddress;
  readonly #hasDisk: boolean;
  readonly #reach: PeerReach;
  readonly #diskWatch: DiskWatch;
  readonly #conditions: Conditions;
  readonly #learner: Learner;
  readonly #walks: Walks;
  readonly #sweeper: Sweeper;
  readonly #loads: LoadReporter;
  #rid = 0;
  #registerRid = 0;
  /** A newer map that waits for this node's own promise to run out (M8). */
  #deferred: ClusterMap | null = null;
  #mapWantedAtMs = -Infinity;

  constructor({
    ports,
    store,
    journal = noJournal,
    address,
    nodeId,
    timings = nodeTimings,
  }: NodeCoreOptions) {
    this.#ports = ports;
    this.#address = address;
    this.#hasDisk = journal !== noJournal;
    if (nodeId !== undefined) this.membership.nodeId = nodeId;
    const nextRid = (): number => ++this.#rid;
    this.lease = new Lease(ports, this.membership, nextRid);
    const { membership, lease } = this;
    this.#reach = new PeerReach({ ports, membership, timings, nextRid });
    this.#diskWatch = new DiskWatch(journal, timings.diskHungMsMax, ports.log.bind(ports));
    this.replica = new Replica(ports, membership, lease, store, journal, timings, nextRid, this.#reach, this);
    const mapWanted = (): void => {
      this.mapWanted();
    };
    this.#conditions = new Conditions(ports, membership, lease, this.replica, journal, mapWanted);
    this.attic = new Attic(this.replica, journal, this.membership);
    this.#learner = new Learner(ports, this.membership, this.replica, this.attic, journal, nextRid);
    this.#walks = new Walks(this.membership, this.replica, mapWanted, ports.nextTurn.bind(ports));
    this.#sweeper = new Sweeper(ports, this.membership, this.lease, this.replica);
    this.#loads = new LoadReporter(ports, this.membership, store, this.replica.counts);
  }

  // --- messages ------------------------------------------------------------------------------------------------

  /** A message on a connection that somebody dialled to this node. @throws ProtocolError if it is not a request. */
  onRequest(link: Link, message: Message): void {
    switch (message.type) {
      case MessageType.write:
        this.replica.onWrite(link, message);
        return;
      case MessageType.get:
        this.replica.reads.onGet(link, message);
        return;
      case MessageType.validate:
        this.replica.onValidate(link, message.rid);
        return;
      case MessageType.condition:
        this.#conditions.onCondition(link, message);
        return;
      case MessageType.copy:
      case MessageType.digestAsk:
      case MessageType.difference:
      case MessageType.scan:
        this.#walks.onRequest(link, message);
        return;
      case MessageType.promiseAsk:
        this.lease.onPromiseAsk(link, message, this.#deferred !== null);
        if (message.epoch > this.membership.epoch) this.mapWanted(message.nodeId);
        return;
      case MessageType.release:
        this.lease.promises.onRelease(message);
        this.#adoptDeferred();
        return;
      case MessageType.room:
        this.replica.fellows.onRoom(link, message);
        return;
      case MessageType.getMap:
        this.#answerGetMap(link, message.rid, message.newerThan);
        return;
      case MessageType.probe:
        link.send({ type: MessageType.probeAck, rid: message.rid });
        return;
      default:
        throw new ProtocolError(`message type ${message.type} is not a request to a node`);
    }
  }

  /** A message on a connection that this node dialled to a member. */
  onPeerMessage(nodeId: number, message: Message): void {
    const { peerWrites } = this.replica;
    this.#reach.heard(nodeId);
    switch (message.type) {
      case MessageType.probeAck:
        return;
      case MessageType.ack:
        peerWrites.onAck(nodeId, message.rid);
        return;
      case MessageType.stale:
        peerWrites.onStale(nodeId, message);
        return;
      case MessageType.fenced:
        if (message.epoch > this.membership.epoch) this.mapWanted(nodeId);
        peerWrites.onFenced(message.rid);
        this.#learner.onRefused(message.rid);
        return;
      case MessageType.refused:
        peerWrites.onFenced(message.rid);
        this.#learner.onRefused(message.rid);
        return;
      case MessageType.copyBatch:
        this.#learner.onBatch(message);
        return;
      case MessageType.digests:
        this.#learner.onDigests(message);
        return;
      case MessageType.differenceEnd:
        this.#learner.onDifferenceEnd(message);
        return;
      case MessageType.promise:
        if (message.epoch > this.membership.epoch) this.mapWanted(nodeId);
        this.lease.onPromise(message);
        return;
      case MessageType.map:
        if (message.map !== null) this.#onMap(message.map);
        return;
      default:
        throw new ProtocolError(`message type ${message.type} is not an answer of a node`);
    }
  }

  /** A message of the manager. */
  onManagerMessage(message: Message): void {
    switch (message.type) {
      case MessageType.lease:
        this.lease.onLease(message);
        if (message.epoch > this.#newestEpoch) this.mapWanted();
        return;
      case MessageType.map:
        if (message.map !== null) this.#onMap(message.map);
        return;
      case MessageType.mapChange:
        this.#onMapChange(message);
        return;
      case MessageType.registered:
        this.#onRegistered(message);
        return;
      case MessageType.fence:
        this.#onFence(message);
        return;
      case MessageType.removed:
        this.#onRemoved(message);
        return;
      case MessageType.reportAck:
        if (message.epoch > this.membership.epoch) this.mapWanted();
        return;
      case MessageType.probe:
        this.#ports.manager()?.send({ type: MessageType.probeAck, rid: message.rid });
        return;
      case MessageType.stop:
        if (message.epoch === 0 || message.epoch >= this.membership.epoch)
          this.#ports.stopOrdered(message.fault);
        return;
      default:
        throw new ProtocolError(`message type ${message.type} is not a message of a manager`);
    }
  }

  // --- connections -----------------------------------------------------------------------------------------------

  onManagerUp(): void {
    this.#register();
  }

  onManagerDown(): void {
    this.#registerRid = 0;
    this.lease.onManagerDown();
  }

  onPeerDown(nodeId: number): void {
    this.replica.peerWrites.onPeerDown(nodeId);
    this.#learner.onPeerDown(nodeId);
    this.#reach.lost(nodeId);
  }

  onLinkClosed(link: Link): void {
    this.#walks.onLinkClosed(link);
    this.replica.onLinkClosed(link);
  }

  /** D1: the journal has saved more. */
  onSaved(): void {
    this.replica.onSaved();
    this.#learner.onSaved();
  }

  // --- identity ----------------------------------------------------------------------------------------------------

  #register(): void {
    const { nodeId, incarnation } = this.membership;
    this.#registerRid = ++this.#rid;
    const message = {
      type: MessageType.register,
      rid: this.#registerRid,
      nodeId,
      incarnation,
      ...this.#address,
      hasDisk: this.#hasDisk,
      disk: this.attic.content(),
    };
    this.#ports.manager()?.send(message);
  }

  #onRegistered({ rid, nodeId, incarnation, map }: RegisteredMessage): void {
    if (rid !== this.#registerRid) return;
    const { membership } = this;
    const isNew = membership.nodeId !== nodeId || membership.incarnation !== incarnation;
    membership.nodeId = nodeId;
    membership.incarnation = incarnation;
    if (isNew) this.#ports.identityChanged(nodeId, incarnation);
    const known = membership.map;
    // The map that admits this incarnation may have come, from a peer, before the incarnation itself.
    if (isNew && known !== null && known.epoch >= map.epoch) this.#adopt(known);
    else this.#onMap(map);
    this.#heartbeat();
  }

  /** M6: whoever was removed joins anew, and is filled again as a learner. */
  #onRemoved({ incarnation, epoch }: RemovedMessage): void {
    const { membership } = this;
    if (incarnation !== membership.incarnation && incarnation !== 0) return;
    if (membership.incarnation !== 0) {
      this.#ports.log(
        'warn',
        `removed from the cluster at epoch ${epoch}; joining anew, to be filled from those that went on`,
      );
      this.#leaveAllSlots();
      membership.forget();
      this.lease.forget();
      this.#ports.identityChanged(membership.nodeId, 0);
    }
    this.#register();
  }

  #leaveAllSlots(): void {
    for (const before of [Role.full, Role.learner]) {
      for (const slot of this.membership.slotsOf(before)) {
        this.replica.onSlotChanged(slot);
        this.#onRoleChanged({ slot, before, after: Role.none, joinedAnew: false }, true);
      }
    }
  }

  // --- maps ------------------------------------------------------------------------------------------------------

  get #newestEpoch(): number {
    return this.#deferred?.epoch ?? this.membership.epoch;
  }

  #onMap(data: ClusterMapData): void {
    // Else an older map than the one that waits could be adopted in its place, in the moment before the next tick.
    this.#adoptDeferred();
    if (data.epoch <= this.membership.epoch) return;
    if (this.membership.map !== null && data.clusterId !== this.membership.map.clusterId) {
      throw new ProtocolError(`a map of another cluster, ${data.clusterId}`);
    }
    const map = new ClusterMap(data);
    if (!this.lease.mustDefer()) this.#adopt(map);
    else if (this.#deferred === null || map.epoch > this.#deferred.epoch) this.#deferred = map;
    // M8: who waits for others to be done with this node's promises is done with theirs, or all would wait for each other.
    if (this.#deferred !== null) this.lease.promises.giveBack();
  }

  #onMapChange(change: MapChangeMessage): void {
    const newest = this.#deferred ?? this.membership.map;
    if (newest?.epoch === change.base) this.#onMap(changed(newest, change));
    else if (change.epoch > this.#newestEpoch) this.mapWanted();
  }

  #adoptDeferred(): void {
    if (this.#deferred !== null && !this.lease.mustDefer()) this.#adopt(this.#deferred);
  }

  #adopt(map: ClusterMap): void {
    const previous = this.membership.map;
    this.#deferred = null;
    const changes = this.membership.adopt(map);
    this.lease.onAdopted();
    map.slots.forEach((assignment, slot) => {
      if (assignment.changedAt !== previous?.slots[slot]?.changedAt) this.replica.onSlotChanged(slot);
    });
    const isOut = !this.membership.isMember;
    for (const change of changes) this.#onRoleChanged(change, isOut);
    this.attic.onMapAdopted();
    this.#ports.mapAdopted(map);
    // A lease that waits for this epoch may be stale by now, and the manager waits to see the epoch adopted.
    this.#heartbeat();
  }

  /** @param isOut the node is no member of the cluster any more, though it goes on */
  #onRoleChanged(change: RoleChange, isOut: boolean): void {
    const { slot, before, after, joinedAnew } = change;
    if (after === Role.none || (before !== Role.none && joinedAnew)) this.#walks.onRoleLost(slot);
    if (before === Role.full && after === Role.none && (isOut || this.attic.isOpen(slot))) {
      // M6: it may yet be all that is left, and if it comes back it need not be sent anew.
      this.replica.retire(slot);
      this.attic.keep(slot);
    } else {
      this.attic.onRoleChanged(change);
      this.replica.onRoleChanged(change);
    }
    this.#learner.onRoleChanged(change);
  }

  #answerGetMap(link: Link, rid: number, newerThan: number): void {
    const map = this.membership.map;
    const data = map !== null && map.epoch > newerThan ? map.toData() : null;
    link.send({ type: MessageType.map, rid, map: data });
  }

  /** W3: asks for a newer map, from that node if given and connected, else from the manager. */
  mapWanted(fromNode?: number): void {
    const nowMs = this.#ports.nowMs();
    if (nowMs - this.#mapWantedAtMs < mapWantedEveryMs) return;
    const link = (fromNode === undefined ? undefined : this.#ports.peer(fromNode)) ?? this.#ports.manager();
    if (link === undefined) return;
    this.#mapWantedAtMs = nowMs;
    link.send({ type: MessageType.getMap, rid: ++this.#rid, newerThan: this.membership.epoch });
  }

  /** M4: stop serving these slots, then say so. */
  #onFence({ rid, epoch, slots }: FenceMessage): void {
    this.membership.fence(epoch, slots);
    for (const slot of slots) if (epoch > this.membership.epoch) this.replica.onSlotChanged(slot);
    this.#ports.manager()?.send({ type: MessageType.fenceAck, rid, epoch });
  }

  // --- what the replica asks for -----------------------------------------------------------------------------------

  runCondition(condition: Condition, record: RecordId): void {
    this.#conditions.run(condition, record);
  }

  conditionCommitted(condition: Condition, write: PeerWrite): void {
    this.#conditions.committed(condition, write);
  }

  conditionInterrupted(condition: Condition): void {
    this.#conditions.interrupted(condition);
  }

  // --- time ------------------------------------------------------------------------------------------------------

  #heartbeat(): void {
    if (this.membership.incarnation !== 0) this.lease.heartbeat(this.#holdings());
  }

  #holdings(): Holdings {
    const { store, fellows } = this.replica;
    return { keys: store.keys, bytes: store.bytes, noRoom: fellows.ownFault };
  }

  /** Ticks shall come soon; otherwise one every twentieth of a lease will do. */
  get isBusy(): boolean {
    if (this.#deferred !== null || this.#learner.isCopying || this.lease.isAnswerLate) return true;
    const { waiters, peerWrites, store } = this.replica;
    return waiters > 0 || peerWrites.inFlight > 0 || store.isReclaiming;
  }

  tick(): void {
    this.#adoptDeferred();
    this.lease.tick(() => this.#holdings());
    this.#reach.tick();
    if (this.#diskWatch.isHung(this.#reach.runningMs)) this.#reach.report(this.membership.nodeId);
    this.replica.fellows.tick();
    this.replica.tick();
    this.#learner.tick();
    this.#sweeper.tick();
    this.#loads.tick();
  }
}
