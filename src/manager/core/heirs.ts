/**
 * Processes that ask for a node id and must wait, most of them because another process holds it. That happens when a manager was restarted, had lost
 * sight of one of its nodes, and forked another.
 *
 * While the holder is connected there is no need of both, and the newcomer is told to end. While the holder is not, it
 * may be dead or only silent (M3): the newcomer waits, until the holder is forgotten or is back.
 *
 * A newcomer that has the node's disk is its next life, but not while the holder is connected: a disk that was copied, as with a
 * virtual machine, is there twice, and the holder serves on under its lease. It waits until that has run out. *[found: two primaries]*
 *
 * What a process sent before it died may arrive after the news of its death; it is not let in. Its connection ends, too: who is still there
 * some seconds later is another process to which the system gave the same number. *[found: in a container that was started again, where
 * numbers begin anew, a node was never answered]*
 */
import { formatAddress } from '../../protocol/address.js';
import { MessageType } from '../../protocol/messages.js';
import type { Link, RegisterMessage } from '../../protocol/messages.js';
import type { Member } from './members.js';
import type { Roster } from './roster.js';

export function isSameProcess(member: Member, { host, port, pid }: RegisterMessage): boolean {
  return member.host === host && member.port === port && (member.pid === pid || member.pid === 0);
}

/** A disk is open to one process at a time: whoever comes with this node's is its next life, unless it is a copy. */
export function hasDiskOf({ disk }: RegisterMessage): boolean {
  return disk.clusterId !== '';
}

/**
 * On a connection that was accepted before the holder's, word that has been under way for long. Of the same process: it dials anew only
 * when it has given the former connection up. Of another one that had the disk: it has ended, since it had the disk before the
 * holder, and dialled before that was started.
 */
export function isOutdated(link: Link, message: RegisterMessage, holder: Member): boolean {
  return link.id < holder.linkId && (isSameProcess(holder, message) || hasDiskOf(message));
}

/** How long after its end a word of a process may still arrive; far shorter than process ids are used again. */
const lateMsMax = 5000;

export class Heirs {
  readonly #roster: Roster;
  readonly #register: (link: Link, message: RegisterMessage) => void;
  readonly #waiting = new Map<Link, RegisterMessage>();
  /** Those that have the disk of a node which was connected when they came. */
  readonly #contending = new Set<Link>();
  /** When processes ended, by node id and process id. */
  readonly #endedAtMs = new Map<string, number>();

  constructor(roster: Roster, register: (link: Link, message: RegisterMessage) => void) {
    this.#roster = roster;
    this.#register = register;
  }

  onProcessExit(nodeId: number, pid: number, nowMs: number): void {
    for (const [name, atMs] of this.#endedAtMs) if (nowMs - atMs > lateMsMax) this.#endedAtMs.delete(name);
    this.#endedAtMs.set(`${nodeId} ${pid}`, nowMs);
  }

  isDead({ nodeId, pid }: RegisterMessage, nowMs: number): boolean {
    return nowMs - (this.#endedAtMs.get(`${nodeId} ${pid}`) ?? -Infinity) <= lateMsMax;
  }

  /** It asks again by itself with the next tick. */
  wait(link: Link, message: RegisterMessage): void {
    this.#waiting.set(link, message);
  }

  /** M3: it has the holder's disk, and the holder is not there, or serves no more. */
  succeeds(holder: Member, message: RegisterMessage): boolean {
    return hasDiskOf(message) && (holder.link === null || this.#roster.lapsed.has(holder.id));
  }

  /** Another process holds its id. @returns what becomes of it, for the log */
  onRival(holder: Member, link: Link, message: RegisterMessage): string {
    const holds = `node ${holder.id}: is process ${holder.pid} at ${formatAddress(holder)} already`;
    const newcomer = `process ${message.pid} at ${formatAddress(message)}`;
    if (hasDiskOf(message)) {
      this.wait(link, message);
      this.#contending.add(link);
      return `${holds}; ${newcomer} comes with its disk and waits until the former has ended. If both run, the disk was copied: end one, and give it an empty --data-dir`;
    }
    if (holder.link === null) {
      this.wait(link, message);
      return `${holds}; ${newcomer} waits for its id`;
    }
    link.send({ type: MessageType.stop, epoch: 0, fault: '' });
    return `${holds}; ${newcomer} shall end`;
  }

  /** The cluster ends. */
  dismiss(): void {
    for (const link of this.#waiting.keys()) link.send({ type: MessageType.stop, epoch: 0, fault: '' });
    this.#waiting.clear();
    this.#contending.clear();
  }

  onLinkClosed(link: Link): void {
    this.#waiting.delete(link);
    this.#contending.delete(link);
  }

  tick(): void {
    // A copy: who must go on waiting is added again.
    for (const [link, message] of [...this.#waiting]) {
      const holder = this.#roster.members.get(message.nodeId);
      if (holder !== undefined && !isSameProcess(holder, message) && this.#mustWait(holder, link, message))
        continue;
      this.onLinkClosed(link);
      this.#register(link, message);
    }
  }

  #mustWait(holder: Member, link: Link, message: RegisterMessage): boolean {
    // That the holder's connection is lost since does not end its lease.
    if (this.#contending.has(link)) return !this.#roster.lapsed.has(holder.id);
    return holder.link === null && !hasDiskOf(message);
  }
}
