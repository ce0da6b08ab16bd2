/** The other end of the hook in a node process, and how to start a cluster with hooks. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCluster } from '../src/testing/index.js';
import type { ClusterOptions, TestCluster } from '../src/testing/index.js';
import { hookFolderName, hookSocket } from './node-hook.js';
import type { HookCommand, Pauses } from './node-hook.js';
import { residentBytes } from './resident.js';

/** A cluster of one node, whose process one can ask. */
export class ProbedNode implements AsyncDisposable {
  readonly cluster: TestCluster;
  readonly #folder: string;

  private constructor(cluster: TestCluster, folder: string) {
    this.cluster = cluster;
    this.#folder = folder;
  }

  static async start(options: ClusterOptions = {}): Promise<ProbedNode> {
    const folder = mkdtempSync(join(tmpdir(), 'gtstore-bench-'));
    const hook = new URL('node-hook.js', import.meta.url).href;
    const nodeOptions = [process.env['NODE_OPTIONS'], `--import=${hook}`].filter(
      (each) => each !== undefined,
    );
    const env = { NODE_OPTIONS: nodeOptions.join(' '), [hookFolderName]: folder };
    try {
      const cluster = await startCluster({ nodes: 1, replicas: 1, ...options, env });
      return new ProbedNode(cluster, folder);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  get pid(): number {
    return this.cluster.nodes[0]?.pid ?? 0;
  }

  residentBytes(): number {
    return residentBytes(this.pid);
  }

  /** @returns the pauses before the command took effect, for `forget` after it */
  ask(command: HookCommand): Promise<Pauses> {
    return new Promise((resolve, reject) => {
      let text = '';
      const socket = connect(hookSocket(this.#folder, this.pid), () => socket.write(command));
      socket.setEncoding('utf8');
      socket.on('data', (chunk: string) => (text += chunk));
      socket.once('error', reject);
      socket.once('end', () => {
        resolve(JSON.parse(text) as Pauses);
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
