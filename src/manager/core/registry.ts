/**
 * Who comes and who goes: gives every life of a node an incarnation of its own, takes back members whose connection was
 * lost, keeps out those that were drained, and has dead ones started again (PROTOCOL M3, M6).
 */
import { formatAddress } from '../../protocol/address.js';
import type { ClusterMap } from '../../protocol/cluster-map.js';
import { wireLimits } from '../../protocol/cold-codec.js';
import { ProtocolError } from '../../protocol/errors.js';
import { MessageType } from '../../protocol/messages.js';
import type { HeartbeatMessage, Link, RegisterMessage } from '../../protocol/messages.js';
import { nodesMax } from '../../protocol/settings.js';
import type { Administration } from './administration.js';
import { Heirs, isOutdated, isSameProcess } from './heirs.js';
import { forgetCleared, newMember } from './members.js';
import type { Member } from './members.js';
import type { ManagerPorts } from './ports.js';
import type { Respawner } from './respawner.js';
import type { Roster } from './roster.js';
import { presentOf } from './state.js';
import type { KnownNode } from './state.js';

/** Ids are given from the lowest on: there must be some left above one that a stranger comes with. */
const strangerIdMax = wireLimits.nodeIdMax / 2;

export interface RegistryOptions {
  readonly ports: ManagerPorts;
  readonly roster: Roster;
  readonly knownNodes: Map<number, KnownNode>;
  readonly administration: Administration;
  readonly respawner: Respawner;
  /** The published one; null before the cluster is created. */
  readonly map: () => ClusterMap | null;
  /** It is saved that incarnations from `nextIncarnation` on may have been given out. */
  readonly isReserved: () => boolean;
  readonly joined: () => void;
  /** One that an administrator has taken for dead. */
  readonly livesStill: (nodeId: number) => void;
}

export class Registry {
  nextIncarnation = 1;
  /** The cluster is ending: nobody joins any more. */
  #isClosed = false;
  readonly #options: RegistryOptions;
  readonly #heirs: Heirs;
  /** Nodes that registered before the cluster was created. */
  readonly #early = new Map<number, { link: Link; rid: number }>();

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#heirs = new Heirs(options.roster, this.onRegister.bind(this));
  }

  /** @throws ProtocolError if whoever sent it is no node, or another one */
  onRegister(link: Link, message: RegisterMessage): void {
    if (!link.isOfNode) throw new ProtocolError('only a node may register');
    const holder = this.#options.roster.byLink(link);
    if (holder !== undefined && holder.id !== message.nodeId)
      throw new ProtocolError(`this is the connection of node ${holder.id}; another one needs its own`);
    // What it said before, and what waits, is over.
    this.#heirs.onLinkClosed(link);
    if (this.#isClosed) {
      link.send({ type: MessageType.stop, epoch: 0, fault: '' });
      return;
    }
    const id = message.nodeId >= 0 ? message.nodeId : this.#options.administration.freeId();
    if (this.#refuses(link, message, this.#faultOf(message, id))) return;
    const member = this.#options.roster.members.get(id);
    if (member !== undefined && isOutdated(link, message, member)) return;
    if (message.incarnation !== 0) {
      const isMember = member?.incarnation === message.incarnation && isSameProcess(member, message);
      if (isMember) this.#reattach(member, link, message);
      else this.#sendRemoved(link, message);
      return;
    }
    if (this.#options.administration.isDrained(id)) {
      link.send({ type: MessageType.stop, epoch: 0, fault: '' });
      return;
    }
    if (this.#heirs.isDead(message, this.#options.ports.nowMs()) || !this.#options.isReserved()) {
      this.#heirs.wait(link, message);
      return;
    }
    if (member !== undefined && !isSameProcess(member, message) && !this.#heirs.succeeds(member, message)) {
      // M3: nothing says that the process which has this id is dead.
      this.#options.ports.log('warn', this.#heirs.onRival(member, link, message));
      return;
    }
    if (member !== undefined) {
      // A process that comes without an incarnation holds nothing: its former life is over.
      this.#options.ports.log(
        'info',
        `node ${id}: begins a new life, incarnation ${member.incarnation} is over`,
      );
      this.forget(member);
    }
    const known = this.#options.knownNodes.get(id);
    const { host, port, pid, hostLabel } = message;
    const spawned = known?.spawned === true && this.#isOfThisHost(id, pid);
    this.#options.knownNodes.set(id, { id, spawned, pid, hostLabel, hasDisk: message.hasDisk });
    const incarnation = this.nextIncarnation++;
    const identity = { id, incarnation, host, port, pid };
    this.#options.roster.members.set(id, newMember(identity, message, link, this.#options.ports.nowMs()));
    this.#options.ports.log(
      'info',
      `node ${id}: joins as incarnation ${incarnation}, ${formatAddress(message)}, pid ${pid}`,
    );
    const map = this.#options.map();
    if (map === null) this.#early.set(id, { link, rid: message.rid });
    else this.#welcome(id, link, message.rid, map);
    this.#options.joined();
  }

  /** Why it cannot be a node of this cluster; null: it may be. */
  #faultOf({ hasDisk }: RegisterMessage, id: number): string | null {
    const { administration, knownNodes } = this.#options;
    // D1: what it said ACK to would be in its memory alone, and every copy of a slot could be such a one. *[found]*
    if (!hasDisk && administration.intent.settings.durability !== 'none')
      return 'has no disk, and this cluster keeps its data on disks: start it with --data-dir';
    if (knownNodes.has(id)) return null;
    if (id > strangerIdMax) return `has the id ${id}, which is no node's of this cluster`;
    return presentOf(knownNodes).length < nodesMax
      ? null
      : `is one too many: a cluster has at most ${nodesMax} nodes`;
  }

  #refuses(link: Link, message: RegisterMessage, fault: string | null): boolean {
    if (fault === null) return false;
    this.#options.ports.log('warn', `node at ${formatAddress(message)}, pid ${message.pid}: ${fault}`);
    link.send({ type: MessageType.stop, epoch: 0, fault });
    return true;
  }

  /** M3: who has just registered lives. If this host does not know it - it came with the disk from another - its lease tells its end. */
  #isOfThisHost(id: number, pid: number): boolean {
    const isHere = this.#options.ports.watch(id, pid);
    if (!isHere)
      this.#options.ports.log(
        'warn',
        `node ${id}: process ${pid} is none that was forked on this host; it is not started again from here`,
      );
    return isHere;
  }

  /**
   * M6: that incarnation is over; whoever had it joins anew, unless it was taken out for good. As long as the map that is out names it
   * nobody is told: the one without it is not saved yet, and whoever is told so clears what it has. *[found]* It asks again.
   */
  #sendRemoved(link: Link, { nodeId, incarnation }: HeartbeatMessage | RegisterMessage): void {
    const map = this.#options.map();
    if (map?.node(nodeId)?.incarnation === incarnation) return;
    if (this.#options.administration.isDrained(nodeId))
      link.send({ type: MessageType.stop, epoch: 0, fault: '' });
    else {
      if (this.#options.roster.takenForDead.has(incarnation)) this.#options.livesStill(nodeId);
      link.send({ type: MessageType.removed, incarnation, epoch: map?.epoch ?? 0 });
    }
  }

  /** @returns whose heartbeat it is; undefined: nobody's any more, and he is told */
  onHeartbeat(link: Link, message: HeartbeatMessage): Member | undefined {
    const member = this.#options.roster.members.get(message.nodeId);
    const map = this.#options.map();
    if (member?.incarnation !== message.incarnation) {
      this.#sendRemoved(link, message);
      return undefined;
    }
    if (map?.epoch === message.epoch) forgetCleared(member, map);
    return member;
  }

  #welcome(id: number, link: Link, rid: number, map: ClusterMap): void {
    const incarnation = this.#options.roster.members.get(id)?.incarnation;
    if (incarnation === undefined) return;
    link.send({ type: MessageType.registered, rid, nodeId: id, incarnation, map: map.toData() });
  }

  /** A member's connection is back, or this manager is. */
  #reattach(member: Member, link: Link, message: RegisterMessage): void {
    member.link = link;
    member.linkId = link.id;
    member.diskSlots = new Map(message.disk.slots);
    member.diskClockUs = message.disk.clockUs;
    member.heardAtMs = this.#options.ports.nowMs();
    const known = this.#options.knownNodes.get(member.id);
    if (known !== undefined) this.#options.knownNodes.set(member.id, { ...known, hasDisk: message.hasDisk });
    this.#options.ports.log('info', `node ${member.id}: connected again, incarnation ${member.incarnation}`);
    const map = this.#options.map();
    if (map !== null) this.#welcome(member.id, link, message.rid, map);
  }

  /** M3: its process is known to be dead. */
  onProcessExit(nodeId: number, pid: number): void {
    const member = this.#options.roster.members.get(nodeId);
    const nowMs = this.#options.ports.nowMs();
    this.#heirs.onProcessExit(nodeId, pid, nowMs);
    const isOrdered = this.#options.administration.tasks.isBeingRestarted(nodeId);
    const upMs = isOrdered ? Infinity : member?.pid === pid ? nowMs - member.joinedAtMs : 0;
    if (member?.pid === pid) {
      this.#options.ports.log('warn', `node ${nodeId}: process ${pid} has ended`);
      this.forget(member);
    }
    // Who was told to end because another process has its id is not started again.
    const isTaken = member !== undefined && member.pid !== pid && member.link !== null;
    const isOurs =
      this.#options.knownNodes.get(nodeId)?.spawned === true &&
      !this.#options.administration.isDrained(nodeId);
    if (isOurs && this.#options.respawner.isEnabled && !isTaken) {
      const pauseMs = this.#options.respawner.schedule(nodeId, upMs);
      this.#options.ports.log('info', `node ${nodeId}: starting again in ${Math.round(pauseMs)} ms`);
    }
  }

  forget(member: Member): void {
    this.#early.delete(member.id);
    this.#options.administration.desk.loads.forget(member.id);
    this.#options.roster.forget(member, this.#options.ports.nowMs());
  }

  /** The cluster ends: nobody is let in any more, and who waits is told so. */
  close(): void {
    this.#isClosed = true;
    this.#heirs.dismiss();
  }

  onLinkClosed(link: Link): void {
    this.#heirs.onLinkClosed(link);
  }

  onPublished(map: ClusterMap): void {
    for (const [id, { link, rid }] of this.#early) this.#welcome(id, link, rid, map);
    this.#early.clear();
  }

  tick(): void {
    this.#heirs.tick();
  }
}
