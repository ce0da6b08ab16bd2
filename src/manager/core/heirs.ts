/**
 * Processes that ask for a node id while another process holds it. That happens when a manager has lost sight of one
 * of its nodes and forked another: it was restarted, or the word of a dead process came late.
 *
 * While the holder is connected there is no need of both, and the newcomer is told to end. While the holder is not, it
 * may be dead or only silent (M3): the newcomer waits, until the holder is forgotten or is back.
 */
import { MessageType } from '../../protocol/messages.js';
import type { Link, RegisterMessage } from '../../protocol/messages.js';
import type { Member } from './members.js';
import type { Roster } from './roster.js';

export function isSameProcess(member: Member, { host, port, pid }: RegisterMessage): boolean {
  return member.host === host && member.port === port && member.pid === pid;
}

export class Heirs {
  readonly #roster: Roster;
  readonly #register: (link: Link, message: RegisterMessage) => void;
  readonly #waiting = new Map<Link, RegisterMessage>();

  constructor(roster: Roster, register: (link: Link, message: RegisterMessage) => void) {
    this.#roster = roster;
    this.#register = register;
  }

  /** Another process holds its id. @returns whether the newcomer must end. */
  onRival(holder: Member, link: Link, message: RegisterMessage): boolean {
    if (holder.link === null) {
      this.#waiting.set(link, message);
      return false;
    }
    this.#waiting.delete(link);
    link.send({ type: MessageType.stop });
    return true;
  }

  onLinkClosed(link: Link): void {
    this.#waiting.delete(link);
  }

  tick(): void {
    for (const [link, message] of this.#waiting) {
      const holder = this.#roster.members.get(message.nodeId);
      if (holder?.link === null) continue;
      this.#waiting.delete(link);
      this.#register(link, message);
    }
  }
}
