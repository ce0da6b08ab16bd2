/**
 * The client of the floor: callbacks and prepared frames, a put to K servers at once, a get to one.
 *
 *     floor-client {"workload": ..., "replicas": ..., "ports": ...}
 */
import { connect } from 'node:net';
import { Latencies, sampleEvery, serveRequests } from './driver.js';
import type { Driver, RunRequest } from './driver.js';
import { FloorReader, FloorWriter, makeFrames } from './floor-frames.js';
import { endWithServer } from './lost-server.js';
import { Random, putDecider } from './workload.js';
import type { Workload } from './workload.js';

export interface FloorClientArgument {
  readonly workload: Workload;
  readonly replicas: number;
  readonly ports: readonly number[];
  /** Its gets ask for values of the usual size, of servers for another. */
  readonly getsUsual: boolean;
  /** It never sleeps while it waits for answers, as GTStore's client with one operation in flight. */
  readonly isPolling: boolean;
}

class FloorDriver implements Driver {
  completed = 0;
  readonly latencies = new Latencies();
  /** A server that fails takes its client with it. */
  readonly failures: readonly string[] = [];
  /** Of each session, one for each server. */
  readonly sessions: FloorWriter[][] = [];
  readonly #replicas: number;
  readonly #keyCount: number;
  readonly #putFrame: Buffer;
  readonly #getFrame: Buffer;
  readonly #isPolling: boolean;
  readonly #random = new Random(1);
  /** By lane, whose number is the request id: answers awaited, kind, and when it began if it is timed. */
  #awaited = new Uint8Array(0);
  #isPut = new Uint8Array(0);
  #startedAtMs = new Float64Array(0);
  #sampleEvery = 1;
  #begun = 0;
  #running = 0;
  #isStopping = false;
  #isPutNext = (): boolean => false;
  #onStopped: () => void = () => undefined;

  constructor({ workload, replicas, getsUsual, isPolling }: FloorClientArgument) {
    this.#replicas = replicas;
    this.#keyCount = workload.keyCount;
    const { put, get, getOfUsual } = makeFrames(workload.valueBytes);
    this.#putFrame = put;
    this.#getFrame = getsUsual ? getOfUsual : get;
    this.#isPolling = isPolling;
  }

  start({ inFlight, putRatio }: RunRequest): void {
    this.#isStopping = false;
    this.#sampleEvery = sampleEvery(inFlight);
    this.#isPutNext = putDecider(putRatio, this.#random);
    this.#awaited = new Uint8Array(inFlight);
    this.#isPut = new Uint8Array(inFlight);
    this.#startedAtMs = new Float64Array(inFlight);
    this.#running = inFlight;
    for (let lane = 0; lane < inFlight; lane++) this.#begin(lane);
    if (this.#isPolling) this.#poll();
  }

  readonly #poll = (): void => {
    if (this.#running > 0) setImmediate(this.#poll);
  };

  #begin(lane: number): void {
    const isPut = this.#isPutNext();
    const servers = this.sessions[lane % this.sessions.length] ?? [];
    const first = (this.#random.next() % this.#keyCount) % servers.length;
    this.#isPut[lane] = isPut ? 1 : 0;
    this.#startedAtMs[lane] = this.#begun++ % this.#sampleEvery === 0 ? performance.now() : 0;
    if (!isPut) {
      this.#awaited[lane] = 1;
      servers[first]?.append(this.#getFrame, lane);
      return;
    }
    this.#awaited[lane] = this.#replicas;
    for (let i = 0; i < this.#replicas; i++) {
      servers[(first + i) % servers.length]?.append(this.#putFrame, lane);
    }
  }

  onAnswer(lane: number): void {
    const left = (this.#awaited[lane] ?? 0) - 1;
    this.#awaited[lane] = left;
    if (left > 0) return;
    this.completed++;
    const startedAtMs = this.#startedAtMs[lane] ?? 0;
    if (startedAtMs !== 0) this.latencies.add(this.#isPut[lane] === 1, performance.now() - startedAtMs);
    if (!this.#isStopping) this.#begin(lane);
    else if (--this.#running === 0) this.#onStopped();
  }

  stop(): Promise<void> {
    this.#isStopping = true;
    return new Promise((resolve) => {
      this.#onStopped = resolve;
    });
  }
}

/** Every connection may share it: what it holds is read before the next one is. */
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024);

function dial(port: number, onAnswer: (lane: number) => void): Promise<FloorWriter> {
  return new Promise((resolve, reject) => {
    const reader = new FloorReader((_type, rid) => {
      onAnswer(rid);
    });
    const onread = {
      buffer: readBuffer,
      callback: (bytes: number, buffer: Uint8Array): boolean => {
        reader.read(buffer, bytes);
        return true;
      },
    };
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, onread });
    socket.once('error', reject);
    socket.once('connect', () => {
      endWithServer(socket, port);
      resolve(new FloorWriter((bytes, done) => socket.write(bytes, done)));
    });
  });
}

const argument = JSON.parse(process.argv[2] ?? '{}') as FloorClientArgument;
const driver = new FloorDriver(argument);
const onAnswer = (lane: number): void => {
  driver.onAnswer(lane);
};
for (let session = 0; session < argument.workload.sessions; session++) {
  driver.sessions.push(await Promise.all(argument.ports.map((port) => dial(port, onAnswer))));
}
serveRequests(driver);
