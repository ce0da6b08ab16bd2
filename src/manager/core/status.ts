/** The status document: `gtstore status --json` and the client's `status()`. */
import type { ClusterMap } from '../../protocol/cluster-map.js';
import { RefusedReason } from '../../protocol/messages.js';
import type { ClusterSettings } from '../../protocol/settings.js';
import type { ClusterStatus, NodeState, NodeStatus } from '../../protocol/status.js';
import type { Member } from './members.js';
import type { Isolation, Roster } from './roster.js';
import { presentOf } from './state.js';
import type { KnownNode } from './state.js';

export interface StatusSource {
  readonly settings: ClusterSettings;
  readonly map: ClusterMap | null;
  readonly members: ReadonlyMap<number, Member>;
  readonly knownNodes: ReadonlyMap<number, KnownNode>;
  /** The node that is being drained; -1: none. */
  readonly leavingId: number;
  readonly manager: ClusterStatus['manager'];
  readonly nowMs: number;
  readonly isolated: ReadonlyMap<number, Isolation>;
  readonly warnings: readonly string[];
}

export function statusOf(source: StatusSource): ClusterStatus {
  const { settings, map, members, knownNodes } = source;
  const ids = new Set([...presentOf(knownNodes).map(({ id }) => id), ...members.keys()]);
  const slots = map?.slots ?? [];
  const warnings = [...source.warnings, ...hindrances(source)];
  return {
    clusterId: map?.clusterId ?? '',
    epoch: map?.epoch ?? 0,
    replicas: settings.replicas,
    slots: settings.slotCount,
    partitioner: settings.partitioner,
    manager: source.manager,
    nodes: [...ids].sort((a, b) => a - b).map((id) => nodeStatus(id, source)),
    underReplicatedSlots: slots.filter((slot) => slot.replicas.length < settings.replicas).length,
    ...(warnings.length === 0 ? {} : { warnings }),
  };
}

/** A line for each node that is off its slots, or whose disk hangs (M2), or that has no room (D4). */
function hindrances({ isolated, members }: StatusSource): string[] {
  const off = [...isolated].map(([id, isolation]) =>
    describeIsolation(id, isolation, members.get(id)?.hasHungDisk === true),
  );
  const hung = [...members.values()].filter(({ id, hasHungDisk }) => hasHungDisk && !isolated.has(id));
  const full = [...members.values()].flatMap(({ id, noRoom }) =>
    noRoom === null ? [] : [`node ${id} ${describeFault(noRoom)}`],
  );
  return [
    ...off,
    ...full,
    ...hung.map(
      ({ id }) => `node ${id} keeps its slots, where writes wait or fail, though it says that its disk hangs`,
    ),
  ];
}

function describeIsolation(id: number, { cause, forMs }: Isolation, hangs: boolean): string {
  const off = `node ${id} gets no slots that others can serve until`;
  if (cause === 'cutOff') return `${off} that is over: other nodes cannot reach it`;
  if (hangs) return `${off} that is over: its disk hangs`;
  return `${off} its disk, which hung, has gone well for ${Math.round(forMs / 1000)} s`;
}

function describeFault(fault: RefusedReason): string {
  const refused = 'values of its keys are refused';
  if (fault === RefusedReason.diskFull) return `has no room on its disk: ${refused} (DISK_FULL)`;
  const cause =
    fault === RefusedReason.memoryLow
      ? 'is on a machine or in a container with hardly any memory left'
      : 'holds as much as --max-memory allows, or 15 GiB';
  return `${cause}: ${refused} (MEMORY_FULL)`;
}

function nodeStatus(id: number, source: StatusSource): NodeStatus {
  const { map, members, knownNodes, settings, nowMs, leavingId } = source;
  const member = members.get(id);
  const slots = map?.slots ?? [];
  const state = stateOf(member, map, settings.leaseMs, nowMs);
  return {
    id,
    incarnation: member?.incarnation ?? 0,
    host: member?.host ?? '',
    port: member?.port ?? 0,
    pid: member?.pid ?? knownNodes.get(id)?.pid ?? 0,
    state: state === 'up' && id === leavingId ? 'leaving' : state,
    primarySlots: slots.filter((slot) => slot.replicas[0] === id).length,
    replicaSlots: slots.filter((slot) => slot.replicas.includes(id)).length,
    keys: member?.keys ?? 0,
    bytes: member?.bytes ?? 0,
  };
}

function stateOf(
  member: Member | undefined,
  map: ClusterMap | null,
  leaseMs: number,
  nowMs: number,
): NodeState {
  if (member === undefined) return 'down';
  const isSilent = member.link === null || nowMs - member.heardAtMs > leaseMs / 2;
  if (member.suspect || isSilent) return 'suspect';
  const isFilling = map?.slots.some((slot) => slot.learners.includes(member.id)) ?? false;
  return member.admitted && !isFilling ? 'up' : 'joining';
}

/** Every slot is served, however many replicas it has, and every member is connected. */
export function isServing(map: ClusterMap, members: ReadonlyMap<number, Member>): boolean {
  const isLinked = [...members.values()].every((member) => member.link !== null);
  return isLinked && map.slots.every((slot) => slot.replicas.length > 0);
}

/** All slots are served by as many full replicas as asked for, or as may have any, and every member has adopted the map. */
export function isWhole(
  map: ClusterMap,
  { members, isolated }: Pick<Roster, 'members' | 'isolated'>,
): boolean {
  const able = map.nodes.filter(({ id }) => !isolated.has(id)).length;
  const wanted = Math.max(1, Math.min(map.settings.replicas, able));
  if (map.slots.some((slot) => slot.learners.length > 0 || slot.replicas.length < wanted)) return false;
  // Of some nodes of the map it may just have been learnt that they are dead.
  return (
    map.nodes.every(({ id, incarnation }) => members.get(id)?.incarnation === incarnation) &&
    [...members.values()].every(({ adoptedEpoch, link }) => adoptedEpoch === map.epoch && link !== null)
  );
}

/** Nobody can have stored anything in this new cluster: not all have heard of their slots. */
export function isUntouched(map: ClusterMap, roster: Pick<Roster, 'members' | 'isolated'>): boolean {
  return !isWhole(map, roster) && [...roster.members.values()].every(({ keys }) => keys === 0);
}
