/** Snapshots of a cluster, and its keys as lines of JSON. */
export { IncompleteError, SnapshotError, systemCode } from './errors.js';
export type { Manifest } from './manifest.js';
export { manifestName } from './manifest.js';
export { openSnapshot } from './read-snapshot.js';
export { restoreSnapshot } from './restore-snapshot.js';
export type { RestorePhase } from './restore-snapshot.js';
export { placeProblem, takeSnapshot, unfinishedMark } from './take-snapshot.js';
export { exportLines, importLines } from './transfer.js';
export type { LineOutput } from './transfer.js';
