/** The other end of the hook in a node process, and how to start a cluster with hooks. */
import { connect } from 'node:net';
import { startCluster } from '../src/testing/index.js';
import type { ClusterOptions, TestCluster } from '../src/testing/index.js';
import { hookFolderName, hookSocket } from './node-hook.js';
import type { HookCommand, Pauses } from './node-hook.js';
import { residentBytes } from './resident.js';
import { TemporaryFolder } from './temporary-folder.js';

/** A cluster of one node, whose process one can ask. */
export class ProbedNode implements AsyncDisposable {
  readonly cluster: TestCluster;
  readonly #folder: TemporaryFolder;

  private constructor(cluster: TestCluster, folder: TemporaryFolder) {
    this.cluster = cluster;
    this.#folder = folder;
  }

  static async start(options: ClusterOptions = {}): Promise<ProbedNode> {
    const folder = new TemporaryFolder();
    const hook = new URL('node-hook.js', import.meta.url).href;
    const nodeOptions = [process.env['NODE_OPTIONS'], `--import=${hook}`].filter(
      (each) => each !== undefined,
    );
    const env = { NODE_OPTIONS: nodeOptions.join(' '), [hookFolderName]: folder.path };
    try {
      const cluster = await startCluster({ nodes: 1, replicas: 1, ...options, env });
      return new ProbedNode(cluster, folder);
    } catch (error) {
      folder[Symbol.dispose]();
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
      const socket = connect(hookSocket(this.#folder.path, this.pid), () => socket.write(command));
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
    this.#folder[Symbol.dispose]();
  }
}
