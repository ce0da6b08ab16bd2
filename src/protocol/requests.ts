/**
 * What a peer that dialled may send. All else is an answer, or an order of the manager's: of maps and batches of a copy a few bytes
 * become many objects, so they are refused before anything is made of them from whoever has none to send.
 */
import { MessageType, PeerRole } from './messages.js';

const ofClients = [
  ...[MessageType.hello, MessageType.error, MessageType.getMap, MessageType.report],
  ...[MessageType.query, MessageType.status, MessageType.scan, MessageType.admin],
];
const ofNodes = [
  ...ofClients,
  ...[MessageType.heartbeat, MessageType.register, MessageType.fenceAck, MessageType.copyDone],
  ...[MessageType.probeAck, MessageType.slotLoads],
  ...[MessageType.copy, MessageType.digestAsk, MessageType.difference],
  ...[MessageType.promiseAsk, MessageType.release, MessageType.room, MessageType.probe],
];

const byClients: ReadonlySet<number> = new Set(ofClients);
const byNodes: ReadonlySet<number> = new Set(ofNodes);

/** Of the messages that `MessageDecoder` wants to be told of. */
export function requestTypes(role: PeerRole): ReadonlySet<number> {
  return role === PeerRole.node ? byNodes : byClients;
}
