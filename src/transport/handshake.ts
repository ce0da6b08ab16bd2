/**
 * The first message of each side. The dialler says HELLO, the listener answers WELCOME, or ERROR and closes. Anything
 * else first is an ERROR and the end; so a stranger, an HTTP client for instance, is gone after one frame.
 *
 * A peer of another protocol version is told both versions and what to do, and the dialler's caller gets that text.
 */
import { ProtocolError } from '../protocol/errors.js';
import { MessageType, protocolVersion } from '../protocol/messages.js';
import type { ErrorMessage, HelloMessage, Message, PeerRole, WelcomeMessage } from '../protocol/messages.js';

/** @throws ProtocolError unless `message` is a HELLO of this protocol version */
export function expectHello(message: Message): HelloMessage {
  if (message.type !== MessageType.hello)
    throw new ProtocolError(`message type ${message.type} before HELLO`);
  expectVersion(message);
  return message;
}

/** @throws ProtocolError unless `message` is a WELCOME of this protocol version */
export function expectWelcome(message: Message): WelcomeMessage {
  if (message.type !== MessageType.welcome) {
    throw new ProtocolError(`message type ${message.type} before WELCOME`);
  }
  expectVersion(message);
  return message;
}

function expectVersion(greeting: HelloMessage | WelcomeMessage): void {
  if (greeting.protocolVersion === protocolVersion) return;
  throw new ProtocolError(
    `protocol version ${greeting.protocolVersion} from your side, ${protocolVersion} here: ` +
      'install the same version of gtstore on both',
  );
}

/** The HELLO of whoever knows no more of himself than his role. */
export function newHello(
  role: PeerRole,
  known: Partial<Omit<HelloMessage, 'type' | 'role'>> = {},
): HelloMessage {
  const { clusterId = '', senderId = 0, incarnation = 0 } = known;
  return { type: MessageType.hello, protocolVersion, role, clusterId, senderId, incarnation };
}

export function newError(code: string, text: string): ErrorMessage {
  return { type: MessageType.error, code, text };
}
