/** `gtstore bench`: load on a cluster that runs, and what comes of it as a table, as JSON, as a page with plots. */
import { fileURLToPath } from 'node:url';
import type { ArgumentsCamelCase, CommandModule } from 'yargs';
import type { GTStoreClient } from '../client/index.js';
import type { LoadPlan, LoadResult } from '../load/index.js';
import { type BenchOptions, benchOptions, planOf } from './bench-options.js';
import { PhaseBar } from './bench-progress.js';
import { checkWritable, writeReport } from './bench-report-file.js';
import { exitCodeOf, exitFailed } from './exit.js';
import { StopRequest } from './stop-request.js';
import { printJson, printLine, withClient } from './with-client.js';

export const benchCommand: CommandModule<object, BenchOptions> = {
  command: 'bench',
  describe: 'Measure a cluster: operations per second, latencies, keys on each node',
  builder: benchOptions,
  handler: bench,
};

async function bench(args: ArgumentsCamelCase<BenchOptions>): Promise<void> {
  const plan = planOf(args);
  const { report, json } = args;
  if (report !== undefined) await checkWritable(report);
  const stop = new StopRequest();
  await withClient(args.manager, async (store) => {
    const result = await runWithProgress(store, plan, stop);
    if (result === undefined) complain('stopped before anything was measured');
    else await show(result, json, report);
    if (stop.signal.aborted) process.exitCode = exitCodeOf(await stop.requested);
  });
}

async function runWithProgress(
  store: GTStoreClient,
  plan: LoadPlan,
  stop: StopRequest,
): Promise<LoadResult | undefined> {
  const { runLoad } = await import('../load/index.js');
  const progress = new PhaseBar(process.stderr);
  try {
    return await runLoad(store, plan, {
      entry: fileURLToPath(new URL('forked-client.js', import.meta.url)),
      signal: stop.signal,
      onProgress: (phase, done, total, rate) => {
        progress.show(phase, done, total, rate);
      },
      onStarted: (kill) => {
        stop.killAtOnce = kill;
      },
    });
  } finally {
    progress.clear();
  }
}

async function show(result: LoadResult, json: boolean, report: string | undefined): Promise<void> {
  const { documentOf, goneError, reportHtml } = await import('../load/index.js');
  const { formatResult } = await import('./bench-table.js');
  if (json) printJson(documentOf(result));
  else printLine(formatResult(result));
  if (report !== undefined) {
    await writeReport(report, reportHtml(result));
    if (!json) printLine(`\nreport    ${report}`);
  }
  const { cleaned } = result;
  if (cleaned !== null && cleaned.left > 0) {
    const codes = Object.keys(cleaned.errors).join(', ');
    complain(`${cleaned.left} keys that begin with '${result.plan.prefix}' could not be deleted: ${codes}`);
    process.exitCode = exitFailed;
  }
  if (result.hasClusterGone) throw goneError();
}

function complain(text: string): void {
  process.stderr.write(`gtstore: ${text}\n`);
}
