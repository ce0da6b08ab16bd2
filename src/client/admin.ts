/** Requests to the manager: the status document, where a key lives, see-tell reports, and administration. */
import type { AdminRequest, AdminResult } from '../protocol/admin.js';
import { GTStoreError } from '../protocol/errors.js';
import { MessageType } from '../protocol/messages.js';
import type { Message } from '../protocol/messages.js';
import type { ClusterStatus } from '../protocol/status.js';
import { checkedRequest, invalidArgument } from './arguments.js';
import type { KeyLocation } from './client-options.js';
import type { Session } from './session.js';

/** @throws GTStoreError (rejects) UNAVAILABLE if the manager is away, TIMEOUT, PROTOCOL */
export async function askStatus(session: Session, timeoutMs: number): Promise<ClusterStatus> {
  const answer = await session.askManager((rid) => ({ type: MessageType.status, rid }), timeoutMs);
  if (answer.type !== MessageType.statusResult) throw new GTStoreError('PROTOCOL', 'no status came back');
  return JSON.parse(answer.json) as ClusterStatus;
}

/** @param key key bytes. @throws GTStoreError (rejects) as `askStatus` */
export async function askLocation(session: Session, key: string, timeoutMs: number): Promise<KeyLocation> {
  const answer = await session.askManager((rid) => ({ type: MessageType.query, rid, key }), timeoutMs);
  if (answer.type !== MessageType.queryResult) throw new GTStoreError('PROTOCOL', 'no location came back');
  const { slot, replicas } = answer;
  return { slot, primary: replicas[0] ?? null, replicas };
}

/** @throws GTStoreError (rejects) INVALID_ARGUMENT if there is no such node; as `askStatus` */
export async function reportFailure(session: Session, nodeId: number, timeoutMs: number): Promise<void> {
  const { map } = session.core;
  const member = map?.node(nodeId);
  if (map === null || member === undefined)
    throw invalidArgument(`there is no node ${String(nodeId)} in the cluster map`);
  const { epoch } = map;
  const { incarnation } = member;
  const build = (rid: number): Message => ({ type: MessageType.report, rid, nodeId, incarnation, epoch });
  await session.askManager(build, timeoutMs);
}

/**
 * What the manager refuses is a result, not an error.
 * @throws GTStoreError (rejects) INVALID_ARGUMENT; UNAVAILABLE if the manager is away, TIMEOUT, PROTOCOL, CLOSED; with `outcome` 'unknown',
 *   and not `retryable`, if the manager may have begun with a change
 */
export async function askAdmin(
  session: Session,
  request: AdminRequest,
  timeoutMs: number,
): Promise<AdminResult> {
  const json = checkedRequest(request);
  const build = (rid: number): Message => ({ type: MessageType.admin, rid, json });
  const answer = await session.askManager(build, timeoutMs, !onlyAsks(request));
  if (answer.type !== MessageType.adminResult) throw new GTStoreError('PROTOCOL', 'no result came back');
  return JSON.parse(answer.json) as AdminResult;
}

/** Whether the manager only tells something: then the same request can be made again. */
function onlyAsks(request: AdminRequest): boolean {
  switch (request.command) {
    case 'progress':
    case 'hot':
      return true;
    case 'rebalance':
      return request.dryRun === true;
    case 'add-nodes':
    case 'start-node':
    case 'drain':
    case 'set-replicas':
    case 'restart-rolling':
    case 'accept-loss':
    case 'cancel':
      return false;
  }
}
