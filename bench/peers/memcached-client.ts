/**
 * A client process of memcached: its text protocol by hand, pipelined, one connection to each server, keys dealt to
 * servers by a hash. The kept JavaScript clients wait for one answer before they ask the next on a connection.
 *
 *     peers/memcached-client {"workload": ..., "ports": ...}
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { serveRequests } from '../driver.js';
import { endWithServer } from '../lost-server.js';
import { PromiseDriver } from '../promise-driver.js';
import type { DrivenStore } from '../promise-driver.js';
import type { Workload } from '../workload.js';
import { MemcachedReader } from './memcached-reader.js';

export interface MemcachedClientArgument {
  readonly workload: Workload;
  readonly ports: readonly number[];
}

interface Waiting {
  readonly resolve: (value: string | undefined) => void;
  readonly reject: (error: Error) => void;
}

const forgetAfter = 4096;

/** One connection: answers come in the order of the requests. */
class Connection {
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];
  #first = 0;
  #outgoing = '';

  constructor(socket: Socket) {
    this.#socket = socket;
    const reader = new MemcachedReader((status, value) => {
      this.#answered(status, value);
    });
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      reader.read(chunk);
    });
  }

  #answered(status: string, value: string | undefined): void {
    const waiting = this.#waiting[this.#first++];
    // Now and then, not each time: `shift` moves the whole queue.
    if (this.#first >= forgetAfter) {
      this.#waiting.splice(0, this.#first);
      this.#first = 0;
    }
    if (status === 'STORED' || status === 'END') waiting?.resolve(value);
    else waiting?.reject(new Error(`memcached answered ${status}`));
  }

  ask(request: string): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      if (this.#outgoing === '') setImmediate(this.#flush);
      this.#outgoing += request;
    });
  }

  readonly #flush = (): void => {
    this.#socket.write(this.#outgoing, 'latin1');
    this.#outgoing = '';
  };
}

class MemcachedStore implements DrivenStore {
  readonly #connections: readonly Connection[];

  constructor(connections: readonly Connection[]) {
    this.#connections = connections;
  }

  put(key: string, value: string): Promise<unknown> {
    return this.#of(key).ask(`set ${key} 0 0 ${value.length}\r\n${value}\r\n`);
  }

  get(key: string): Promise<string | undefined> {
    return this.#of(key).ask(`get ${key}\r\n`);
  }

  #of(key: string): Connection {
    let hash = 0;
    for (let at = 0; at < key.length; at++) hash = (Math.imul(hash, 31) + key.charCodeAt(at)) >>> 0;
    const connection = this.#connections[hash % this.#connections.length];
    if (connection === undefined) throw new Error('memcached without servers');
    return connection;
  }
}

function open(port: number): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      endWithServer(socket, port);
      resolve(new Connection(socket));
    });
  });
}

const { workload, ports } = JSON.parse(process.argv[2] ?? '{}') as MemcachedClientArgument;
const driver = new PromiseDriver([new MemcachedStore(await Promise.all(ports.map(open)))], workload);
await driver.fill();
serveRequests(driver);
