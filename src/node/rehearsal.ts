/**
 * A node goes through its part once before it serves: two servers in its own process, on loopback, one of which takes
 * writes and reads and gives slots to the other, while a manager and clients of pasteboard give the cues.
 *
 * The engine compiles for what it has seen. Code that has met nothing but writes and reads is thrown away when the first
 * slot moves, in all nodes at once, and compiled again while requests wait. What is rehearsed is known when the
 * code is compiled for the first time (docs/BENCHMARKS.md says what that gave).
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { ClusterMapData, MemberNode, SlotAssignment } from '../protocol/cluster-map.js';
import { newSlot } from '../protocol/cluster-map.js';
import type { Logger } from '../protocol/logger.js';
import { changeOf } from '../protocol/map-change.js';
import { MessageType, PeerRole, protocolVersion, WriteKind } from '../protocol/messages.js';
import type { Message, RegisterMessage, WelcomeMessage } from '../protocol/messages.js';
import { defaultSettings, frameBytesMax } from '../protocol/settings.js';
import type { Connection } from '../transport/connection.js';
import { dial } from '../transport/dialer.js';
import { newError, newHello } from '../transport/handshake.js';
import { listen } from '../transport/listener.js';
import type { Listener } from '../transport/listener.js';
import type { NodeOptions, NodeServer } from './node-server.js';

const host = '127.0.0.1';
const clusterId = 'rehearsal';
const leaseMs = 1000;
const settings = { ...defaultSettings, slotCount: 4, leaseMs };
/** Those that move; the last slot does not. */
const movingSlots = [0, 1, 2];
const keyCount = 48;
/** Written, validated and read before the next ones are. */
const keysAtOnce = 8;
const value = new Uint8Array(100);
const ridShift = 14;
const tooLateUs = 1_000_000;
const clientId = 3_000_000_000;
/** A machine that is as busy as that is better off without. */
const rehearsalMsMax = 1000;

const silence: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
};

export interface Rehearsal {
  /** Why it was broken off; null: it was not. */
  readonly fault: string | null;
  /** How many keys the second server had in the end. */
  readonly keysGiven: number;
}

interface Registered {
  readonly link: Connection;
  readonly message: RegisterMessage;
}

type NewServer = (options: NodeOptions) => NodeServer;

/** What happens to all moving slots at once. */
type Scene = (slot: SlotAssignment, epoch: number) => SlotAssignment;

class Stage {
  /** To the second server, as far as it has told. */
  keysGiven = 0;
  readonly #servers: NodeServer[] = [];
  readonly #registered = new Map<number, Registered>();
  readonly #clients: Connection[] = [];
  readonly #adoptedEpochs = [0, 0];
  #listener: Listener | undefined;
  #map: ClusterMapData | undefined;
  #copied = 0;
  #fenced = 0;
  #asked = 0;
  #answered = 0;
  #requests = 0;
  #happened: () => void = () => undefined;

  async play(newServer: NewServer): Promise<void> {
    await this.#raise(newServer);
    await this.#load([0]);
    await this.#change((slot, epoch) => ({ ...slot, learners: [1], joinedAt: [1, epoch] }));
    await this.#load([0, 1]);
    await this.#until(() => this.#copied >= movingSlots.length);
    await this.#change((slot) => ({ ...slot, replicas: [0, 1], learners: [] }));
    await this.#load([0, 1]);
    const epoch = (this.#map?.epoch ?? 0) + 1;
    this.#registered.get(0)?.link.send({
      type: MessageType.fence,
      rid: this.#nextRid(0),
      epoch,
      slots: movingSlots,
    });
    await this.#load([0, 1]);
    await this.#until(() => this.#fenced > 0);
    await this.#change(({ joinedAt: [, joinedAt = 0] }) => ({
      ...newSlot([1], epoch),
      joinedAt: [joinedAt],
    }));
    await this.#load([0, 1]);
  }

  async strike(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await Promise.all(this.#servers.map((server) => server.stop()));
    await this.#listener?.close();
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo())
      await new Promise<void>((resolve) => {
        this.#happened = resolve;
      });
  }

  /** Two nodes and a manager, the first node has every slot. */
  async #raise(newServer: NewServer): Promise<void> {
    this.#listener = await listen({
      host,
      port: 0,
      onHello: (hello) => (hello.clusterId === '' || hello.clusterId === clusterId ? welcome : notHere),
      handlers: {
        onMessage: (connection, message) => {
          this.#onNodeMessage(connection, message);
          this.#happened();
        },
        onClose: () => undefined,
      },
    });
    const manager = { host, port: this.#listener.port };
    for (const nodeId of [0, 1]) {
      const server = newServer({ manager, host, port: 0, nodeId, log: silence });
      this.#servers.push(server);
      await server.start();
    }
    await this.#until(() => this.#registered.size === this.#servers.length);
    const nodes = [...this.#registered.values()].map(memberOf).sort((a, b) => a.id - b.id);
    const slots = Array.from({ length: settings.slotCount }, () => newSlot([0], 1));
    const map = { clusterId, epoch: 1, settings, nodes, slots };
    this.#map = map;
    for (const [nodeId, { link, message }] of this.#registered)
      link.send({ type: MessageType.registered, rid: message.rid, nodeId, incarnation: nodeId + 1, map });
    for (const { port } of nodes) this.#clients.push(await this.#newClient(port));
    await this.#adopted(1);
  }

  #newClient(port: number): Promise<Connection> {
    const hello = newHello(PeerRole.client, { clusterId, senderId: clientId });
    const onMessage = (_connection: Connection, message: Message): void => {
      // A read's; those of writes come in runs.
      if ('rid' in message && message.rid % 2 === 1) this.#answered++;
      this.#happened();
    };
    return dial({ host, port, hello, handlers: { onMessage, onClose: () => undefined } });
  }

  /** As the manager would. */
  #onNodeMessage(link: Connection, message: Message): void {
    switch (message.type) {
      case MessageType.register:
        if (message.pid === process.pid) this.#registered.set(message.nodeId, { link, message });
        return;
      case MessageType.heartbeat: {
        const { rid, nodeId, epoch, keys } = message;
        // Whoever took this for the manager it lost gets no lease.
        if (this.#registered.get(nodeId)?.link !== link) return;
        this.#adoptedEpochs[nodeId] = epoch;
        if (nodeId === 1) this.keysGiven = keys;
        link.send({ type: MessageType.lease, rid, epoch, leaseMs, clockUs: Date.now() * 1000 });
        return;
      }
      case MessageType.copyDone:
        this.#copied = message.slots.length;
        return;
      case MessageType.fenceAck:
        this.#fenced++;
        return;
      default:
    }
  }

  #adopted(epoch: number): Promise<void> {
    return this.#until(() => this.#adoptedEpochs.every((adopted) => adopted >= epoch));
  }

  /** The next map. */
  async #change(scene: Scene): Promise<void> {
    const map = this.#map;
    if (map === undefined) return;
    const epoch = map.epoch + 1;
    const slots = map.slots.map((slot, index) =>
      movingSlots.includes(index) ? { ...scene(slot, epoch), changedAt: epoch } : slot,
    );
    const next = { ...map, epoch, slots };
    this.#map = next;
    for (const { link } of this.#registered.values())
      link.send({ type: MessageType.mapChange, ...changeOf(map, next) });
    await this.#adopted(epoch);
  }

  /**
   * Every key is written, validated and read at each of these nodes. Of those that go out together, the first one is
   * written by a client that is behind, the last one twice, and then once more by somebody who comes too late.
   */
  async #load(nodeIds: readonly number[]): Promise<void> {
    const epoch = this.#map?.epoch ?? 1;
    for (let first = 0; first < keyCount; first += keysAtOnce) {
      const last = first + keysAtOnce - 1;
      for (let index = first; index <= last; index++)
        for (const id of nodeIds)
          this.#use(id, index, index === first ? Math.max(1, epoch - 1) : epoch, index === last);
      await this.#until(() => this.#answered >= this.#asked);
    }
  }

  #use(nodeId: number, index: number, epoch: number, isRepeated: boolean): void {
    const client = this.#clients[nodeId];
    if (client === undefined) return;
    const key = `key:${String(index).padStart(16, '0')}`;
    const hlc = Date.now() * 1000 + (this.#requests % 1000);
    const put = { epoch, kind: WriteKind.plain, key, value, expiresAtMs: 0, applied: null };
    const send = (writtenAtUs: number): void => {
      const version = { hlc: writtenAtUs, clientId, seq: 0, epoch: 0 };
      const rid = this.#nextRid(index);
      client.send({ type: MessageType.write, rid, ...put, version });
      client.send({ type: MessageType.validate, rid });
    };
    if (isRepeated) for (const each of [hlc, hlc, hlc - tooLateUs]) send(each);
    // A later version of a key, too: what is there already is written another way (ADR 22).
    else for (const each of index % 2 === 0 ? [hlc] : [hlc, hlc + 1]) send(each);
    client.send({ type: MessageType.get, rid: this.#nextRid(index) + 1, versionOnly: false, key });
    this.#asked++;
  }

  /** An even one; small and large ones, as nodes and clients have them. */
  #nextRid(index: number): number {
    const rid = 2 * ++this.#requests;
    return index % 2 === 0 ? rid : rid << ridShift;
  }
}

const welcome: WelcomeMessage = {
  type: MessageType.welcome,
  protocolVersion,
  role: PeerRole.manager,
  clusterId: '',
  senderId: 0,
  incarnation: 0,
  clockUs: 0,
  frameBytesMax: frameBytesMax(settings),
};

const notHere = newError('UNAVAILABLE', 'this is no manager, only the rehearsal of a node');

function memberOf({ message: { nodeId, host: nodeHost, port } }: Registered): MemberNode {
  return { id: nodeId, incarnation: nodeId + 1, host: nodeHost, port };
}

/**
 * Takes 0.15 to 0.2 s of processor time, the compiler's included; by the clock more where the nodes of a cluster start side by side.
 * What does not work there and then, or takes too long, is left out: a node serves without, too.
 * @param msMax then it has taken too long
 */
export async function rehearse(newServer: NewServer, msMax = rehearsalMsMax): Promise<Rehearsal> {
  const stage = new Stage();
  const deadline = new AbortController();
  const late = pause(msMax, undefined, { signal: deadline.signal }).then(
    () => `it took more than ${msMax} ms`,
    () => null,
  );
  const played = stage.play(newServer).then(
    () => null,
    (error: unknown) => String(error),
  );
  const fault = await Promise.race([played, late]);
  const struck = stage.strike().then(
    () => fault,
    (error: unknown) => String(error),
  );
  const rehearsal = { fault: await Promise.race([struck, late]), keysGiven: stage.keysGiven };
  deadline.abort();
  return rehearsal;
}
