/** The load generator behind `gtstore bench`: what the command uses of it. */
export { ClientProcess } from './client-process.js';
export type { Order } from './messages.js';
export type { LoadPlan } from './plan.js';
export { reportHtml } from './report.js';
export {
  type LatencySummary,
  type LoadDocument,
  type LoadResult,
  documentOf,
  latencySummary,
  throughputOf,
} from './result.js';
export { type LoadOptions, runLoad } from './run-load.js';
export { type OnProgress, type Phase, goneError } from './run.js';
export { caveatOf } from './workloads.js';
