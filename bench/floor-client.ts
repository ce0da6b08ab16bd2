/**
 * The client of the floor: callbacks and prepared frames, a put to K servers at once, a get to one.
 *
 *     floor-client REPLICAS PORT...
 */
import { connect } from 'node:net';
import { FloorReader, FloorWriter, frames } from './floor-frames.js';
import { keyCount, Latencies, Random, sampleEvery, serveRequests } from './workload.js';
import type { Driver } from './workload.js';

class FloorDriver implements Driver {
  completed = 0;
  readonly latencies = new Latencies();
  readonly servers: FloorWriter[] = [];
  readonly #replicas: number;
  readonly #random = new Random(1);
  /** By lane, whose number is the request id: answers awaited, kind, and when it began if it is timed. */
  #awaited = new Uint8Array(0);
  #isPut = new Uint8Array(0);
  #startedAtMs = new Float64Array(0);
  #sampleEvery = 1;
  #begun = 0;
  #running = 0;
  #isStopping = false;
  #onStopped: () => void = () => undefined;

  constructor(replicas: number) {
    this.#replicas = replicas;
  }

  start(inFlight: number): void {
    this.#isStopping = false;
    this.#sampleEvery = sampleEvery(inFlight);
    this.#awaited = new Uint8Array(inFlight);
    this.#isPut = new Uint8Array(inFlight);
    this.#startedAtMs = new Float64Array(inFlight);
    this.#running = inFlight;
    for (let lane = 0; lane < inFlight; lane++) this.#begin(lane);
  }

  #begin(lane: number): void {
    const isPut = (this.#random.next() >>> 16) & 1;
    const { servers } = this;
    const first = (this.#random.next() % keyCount) % servers.length;
    this.#isPut[lane] = isPut;
    this.#startedAtMs[lane] = this.#begun++ % this.#sampleEvery === 0 ? performance.now() : 0;
    if (isPut === 0) {
      this.#awaited[lane] = 1;
      servers[first]?.append(frames.get, lane);
      return;
    }
    this.#awaited[lane] = this.#replicas;
    for (let i = 0; i < this.#replicas; i++) servers[(first + i) % servers.length]?.append(frames.put, lane);
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

function dial(port: number, onAnswer: (lane: number) => void): Promise<FloorWriter> {
  return new Promise((resolve, reject) => {
    const reader = new FloorReader((_type, rid) => {
      onAnswer(rid);
    });
    const onread = {
      buffer: Buffer.allocUnsafeSlow(256 * 1024),
      callback: (bytes: number, buffer: Uint8Array): boolean => {
        reader.read(buffer, bytes);
        return true;
      },
    };
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, onread });
    socket.once('error', reject);
    socket.once('connect', () => {
      resolve(new FloorWriter((bytes, done) => socket.write(bytes, done)));
    });
  });
}

const [replicas = 0, ...ports] = process.argv.slice(2).map(Number);
const driver = new FloorDriver(replicas);
for (const port of ports) {
  driver.servers.push(
    await dial(port, (lane) => {
      driver.onAnswer(lane);
    }),
  );
}
serveRequests(driver);
