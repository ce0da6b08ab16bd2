/**
 * A client process of etcd: its gRPC by hand on node:http2, one connection to each member, calls in turn. The kept
 * JavaScript clients stand on the same module with more between; what is left out here only helps etcd.
 *
 *     peers/etcd-client {"workload": ..., "ports": ...}
 */
import { connect, constants } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import { serveRequests } from '../driver.js';
import { PromiseDriver } from '../promise-driver.js';
import type { DrivenStore } from '../promise-driver.js';
import type { Workload } from '../workload.js';
import { bytesField, framed } from './grpc.js';

export interface EtcdClientArgument {
  readonly workload: Workload;
  readonly ports: readonly number[];
}

const windowBytes = 4 * 2 ** 20;
const { HTTP2_HEADER_METHOD, HTTP2_HEADER_PATH, HTTP2_HEADER_CONTENT_TYPE, HTTP2_HEADER_TE } = constants;

/** Field numbers of `PutRequest` and `RangeRequest` alike. */
const keyField = 1;
const valueField = 2;

class EtcdStore implements DrivenStore {
  readonly #sessions: readonly ClientHttp2Session[];
  #turn = 0;

  constructor(sessions: readonly ClientHttp2Session[]) {
    this.#sessions = sessions;
  }

  async put(key: string, value: string): Promise<void> {
    await this.#call(
      '/etcdserverpb.KV/Put',
      framed(bytesField(keyField, key), bytesField(valueField, value)),
    );
  }

  /** Linearizable, as etcd's default is. */
  async get(key: string): Promise<number> {
    const bytes = await this.#call('/etcdserverpb.KV/Range', framed(bytesField(keyField, key)));
    if (bytes < key.length) throw new Error(`etcd has no '${key}'`);
    return bytes;
  }

  /** @returns the length of the answer */
  #call(path: string, body: Buffer): Promise<number> {
    const session = this.#sessions[this.#turn++ % this.#sessions.length];
    return new Promise((resolve, reject) => {
      if (session === undefined) throw new Error('etcd without members');
      const stream = session.request({
        [HTTP2_HEADER_METHOD]: 'POST',
        [HTTP2_HEADER_PATH]: path,
        [HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
        [HTTP2_HEADER_TE]: 'trailers',
      });
      let bytes = 0;
      let status: unknown;
      const take = (headers: Record<string, unknown>): void => {
        status = headers['grpc-status'] ?? status;
      };
      stream.on('response', take);
      stream.on('trailers', take);
      stream.on('data', (chunk: Buffer) => (bytes += chunk.length));
      stream.once('error', reject);
      stream.once('end', () => {
        if (Number(status) === 0) resolve(bytes);
        else reject(new Error(`etcd answered with gRPC status ${String(status)}`));
      });
      stream.end(body);
    });
  }
}

function open(port: number): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: windowBytes } });
    session.once('error', reject);
    session.once('connect', () => {
      session.setLocalWindowSize(windowBytes);
      resolve(session);
    });
  });
}

const { workload, ports } = JSON.parse(process.argv[2] ?? '{}') as EtcdClientArgument;
const driver = new PromiseDriver([new EtcdStore(await Promise.all(ports.map(open)))], workload);
await driver.fill();
serveRequests(driver);
