/**
 * A network between processes of one machine that can be cut: a TCP proxy that tells the sides apart by the address
 * they dial from (127.0.0.11, .12, ...), so that one pair of processes can be parted and no other.
 *
 * A stalled direction keeps its bytes, as TCP would, and delivers them when it heals: late, in order, and possibly
 * long after anybody expects them. A broken link is reset, and refused until it heals.
 */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** As seen by whoever dials: `there` are the bytes it sends, `back` are the answers. */
export type Direction = 'there' | 'back';

interface Pair {
  readonly from: string;
  readonly source: Socket;
  readonly target: Socket;
}

interface Cut {
  /** Address of the dialling side; undefined: all. */
  readonly from: string | undefined;
  readonly stalls: readonly Direction[];
  readonly breaks: boolean;
}

export class TcpProxy {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly #server: Server;
  readonly #targetOf: (proxy: Address) => Address;
  readonly #pairs = new Set<Pair>();
  #cuts: Cut[] = [];

  private constructor(server: Server, targetOf: (proxy: Address) => Address) {
    this.#server = server;
    this.#targetOf = targetOf;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (source) => {
      this.#accept(source);
    });
  }

  /** @param targetOf where to connect on, given where the proxy listens */
  static open(targetOf: (proxy: Address) => Address): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: '127.0.0.1', port: 0 }, () => {
        resolve(new TcpProxy(server, targetOf));
      });
    });
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** Nothing passes in these directions any more; connections stay as they are, and new ones can be made. */
  stall(directions: readonly Direction[] = ['there', 'back'], from?: string): void {
    this.#cuts.push({ from, stalls: directions, breaks: false });
    for (const pair of this.#pairs) this.#pump(pair);
  }

  /** Connections are reset, and new ones, too. */
  break(from?: string): void {
    this.#cuts.push({ from, stalls: [], breaks: true });
    for (const pair of this.#pairs) if (this.#isBroken(pair.from)) reset(pair);
  }

  /** Everything passes again, what was held back first. */
  heal(): void {
    this.#cuts = [];
    for (const pair of this.#pairs) this.#pump(pair);
  }

  close(): Promise<void> {
    for (const pair of this.#pairs) reset(pair);
    return new Promise((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
  }

  #isBroken(from: string): boolean {
    return this.#cuts.some((cut) => cut.breaks && (cut.from ?? from) === from);
  }

  #isStalled(from: string, direction: Direction): boolean {
    return this.#cuts.some((cut) => (cut.from ?? from) === from && cut.stalls.includes(direction));
  }

  #accept(source: Socket): void {
    const from = source.remoteAddress ?? '';
    source.on('error', () => undefined);
    if (this.#isBroken(from)) {
      source.resetAndDestroy();
      return;
    }
    const target = connect({ ...this.#targetOf(this), allowHalfOpen: true });
    const pair = { from, source, target };
    this.#pairs.add(pair);
    for (const [one, other, direction] of [
      [source, target, 'there'],
      [target, source, 'back'],
    ] as const) {
      one.setNoDelay(true);
      one.on('error', () => {
        reset(pair);
      });
      one.on('data', (chunk: Buffer) => {
        if (!other.write(chunk)) one.pause();
      });
      one.on('end', () => {
        other.end();
      });
      other.on('drain', () => {
        if (!this.#isStalled(from, direction)) one.resume();
      });
      one.on('close', (hadError) => {
        if (hadError) reset(pair);
        if (source.destroyed && target.destroyed) this.#pairs.delete(pair);
      });
    }
    this.#pump(pair);
  }

  /** Reads on where bytes may pass, and nowhere else. */
  #pump({ from, source, target }: Pair): void {
    if (this.#isStalled(from, 'there')) source.pause();
    else if (!target.writableNeedDrain) source.resume();
    if (this.#isStalled(from, 'back')) target.pause();
    else if (!source.writableNeedDrain) target.resume();
  }
}

function reset({ source, target }: Pair): void {
  source.resetAndDestroy();
  target.resetAndDestroy();
}
