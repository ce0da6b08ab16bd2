/** What anybody may ask and what changes nothing: where a key lives, the status. */
import type { ClusterMap } from '../../protocol/cluster-map.js';
import { ProtocolError } from '../../protocol/errors.js';
import { MessageType } from '../../protocol/messages.js';
import type { Link, Message } from '../../protocol/messages.js';
import type { ClusterStatus } from '../../protocol/status.js';

/** @throws ProtocolError if this is not a message to a manager. */
export function answerQuery(
  link: Link,
  message: Message,
  map: ClusterMap | null,
  status: () => ClusterStatus,
): void {
  switch (message.type) {
    case MessageType.query: {
      // Key to K replicas, primary first: if the primary fails, the next one takes over.
      const slot = map?.slotOf(message.key) ?? 0;
      const replicas = map?.slot(slot).replicas ?? [];
      const { rid } = message;
      link.send({ type: MessageType.queryResult, rid, epoch: map?.epoch ?? 0, slot, replicas });
      return;
    }
    case MessageType.status:
      link.send({ type: MessageType.statusResult, rid: message.rid, json: JSON.stringify(status()) });
      return;
    default:
      throw new ProtocolError(`message type ${message.type} is not a request to a manager`);
  }
}
