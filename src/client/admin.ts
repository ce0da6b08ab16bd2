/** Requests to the manager that are no operations on keys: the status document, and administration. */
import type { AdminRequest, AdminResult } from '../protocol/admin.js';
import { GTStoreError } from '../protocol/errors.js';
import { MessageType } from '../protocol/messages.js';
import type { ClusterStatus } from '../protocol/status.js';
import type { Session } from './session.js';

/** @throws GTStoreError (rejects) UNAVAILABLE if the manager is away, TIMEOUT, PROTOCOL */
export async function askStatus(session: Session, timeoutMs: number): Promise<ClusterStatus> {
  const answer = await session.askManager((rid) => ({ type: MessageType.status, rid }), timeoutMs);
  if (answer.type !== MessageType.statusResult) throw new GTStoreError('PROTOCOL', 'no status came back');
  return JSON.parse(answer.json) as ClusterStatus;
}

/**
 * What the manager refuses is a result, not an error.
 * @throws GTStoreError (rejects) UNAVAILABLE if the manager is away, TIMEOUT, PROTOCOL
 */
export async function askAdmin(
  session: Session,
  request: AdminRequest,
  timeoutMs: number,
): Promise<AdminResult> {
  const json = JSON.stringify(request);
  const answer = await session.askManager((rid) => ({ type: MessageType.admin, rid, json }), timeoutMs);
  if (answer.type !== MessageType.adminResult) throw new GTStoreError('PROTOCOL', 'no result came back');
  return JSON.parse(answer.json) as AdminResult;
}
