/**
 * Processes that ask for a node id and must wait, most of them because another process holds it. That happens when a manager was restarted, had lost
 * sight of one of its nodes, and forked another.
 *
 * While the holder is connected there is no need of both, and the newcomer is told to end. While the holder is not, it
 * may be dead or only silent (M3): the newcomer waits, until the holder is forgotten or is back.
 *
 * What a process sent before it died may arrive after the news of its death; it is not let in.
 */
import { MessageType } from '../../protocol/messages.js';
import type { Link, RegisterMessage } from '../../protocol/messages.js';
import type { Member } from './members.js';
import type { Roster } from './roster.js';

export function isSameProcess(member: Member, { host, port, pid }: RegisterMessage): boolean {
  return member.host === host && member.port === port && (member.pid === pid || member.pid === 0);
}

/** A disk is open to one process at a time: whoever comes with this node's is its next life, and the former is over. */
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

  /** Another process holds its id. @returns whether the newcomer must end. */
  onRival(holder: Member, link: Link, message: RegisterMessage): boolean {
    if (holder.link === null) {
      this.wait(link, message);
      return false;
    }
    this.#waiting.delete(link);
    link.send({ type: MessageType.stop, epoch: 0 });
    return true;
  }

  /** The cluster ends. */
  dismiss(): void {
    for (const link of this.#waiting.keys()) link.send({ type: MessageType.stop, epoch: 0 });
    this.#waiting.clear();
  }

  onLinkClosed(link: Link): void {
    this.#waiting.delete(link);
  }

  tick(): void {
    // A copy: who must go on waiting is added again.
    for (const [link, message] of [...this.#waiting]) {
      const holder = this.#roster.members.get(message.nodeId);
      if (holder?.link === null && !isSameProcess(holder, message) && !hasDiskOf(message)) continue;
      this.#waiting.delete(link);
      this.#register(link, message);
    }
  }
}
