/** Under its old name; the checker is in linearizability/. */
export * from './linearizability/index.js';
