/** The status document for people: a summary, then one row a node. */
import type { ClusterStatus, NodeStatus } from '../protocol/status.js';
import { alignColumns } from './columns.js';
import { formatAddress } from './options.js';

interface Column {
  readonly title: string;
  readonly isNumber: boolean;
  readonly cell: (node: NodeStatus) => string;
}

const columns: readonly Column[] = [
  { title: 'node', isNumber: true, cell: ({ id }) => String(id) },
  { title: 'state', isNumber: false, cell: ({ state }) => state },
  { title: 'address', isNumber: false, cell: (node) => (node.port === 0 ? '-' : formatAddress(node)) },
  { title: 'pid', isNumber: true, cell: ({ pid }) => known(pid) },
  { title: 'incarnation', isNumber: true, cell: ({ incarnation }) => known(incarnation) },
  { title: 'primary of', isNumber: true, cell: ({ primarySlots }) => String(primarySlots) },
  { title: 'replica of', isNumber: true, cell: ({ replicaSlots }) => String(replicaSlots) },
  { title: 'keys', isNumber: true, cell: ({ keys }) => String(keys) },
  { title: 'bytes', isNumber: true, cell: ({ bytes }) => formatBytes(bytes) },
];

export function formatStatus(status: ClusterStatus): string {
  return [...summary(status), '', ...table(status.nodes)].join('\n');
}

function summary({
  epoch,
  replicas,
  slots,
  partitioner,
  manager,
  nodes,
  underReplicatedSlots,
}: ClusterStatus): string[] {
  const up = nodes.filter(({ state }) => state === 'up').length;
  const health =
    underReplicatedSlots === 0
      ? 'every slot has all its replicas'
      : `${underReplicatedSlots} of ${slots} slots lack a replica`;
  return [
    `manager   gtstore://${formatAddress(manager)}, pid ${manager.pid}, epoch ${epoch}`,
    `nodes     ${up} of ${nodes.length} up`,
    `slots     ${slots} by ${partitioner}, ${replicas} replicas each`,
    `health    ${health}`,
  ];
}

function table(nodes: readonly NodeStatus[]): string[] {
  const rows = [
    columns.map(({ title }) => title),
    ...nodes.map((node) => columns.map(({ cell }) => cell(node))),
  ];
  return alignColumns(rows, (index) => columns[index]?.isNumber === true);
}

/** 0 stands for what is not known. */
function known(count: number): string {
  return count === 0 ? '-' : String(count);
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Exact below 1 KiB, else one decimal. */
export function formatBytes(bytes: number): string {
  let amount = bytes;
  let unit = 0;
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? amount : amount.toFixed(1)} ${units[unit] ?? ''}`;
}
