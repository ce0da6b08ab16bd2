/**
 * What administrators do to a simulated cluster, at random moments, and what must have come of it in the end. All
 * choices come from a stream of chance of their own: a schedule without tasks is the same with and without this file.
 */
import type { AdminRequest, AdminResult, TaskProgress } from '../../src/protocol/admin.js';
import { MessageType } from '../../src/protocol/messages.js';
import type { Link, Message } from '../../src/protocol/messages.js';
import { Prng } from './prng.js';
import type { World } from './world.js';

/** Chosen so that no kept seed has tasks that it had not when it was kept. */
const streamSalt = 0x7a61;
/** Of the schedules that lean towards nothing in particular, this share has tasks, too. */
const share = 0.1;
/** Of their own, too: a schedule without cancels is the same with and without them. */
const cancelSalt = 0x6361;
const cancelShare = 0.4;
const addedNodesMax = 2;
const replicasDrawnMax = 4;

/** Nobody dialled: an administrator whose every word arrives at once, if the manager runs. */
class AdminLink implements Link {
  readonly id = -1;
  readonly isFull = false;
  readonly isOfNode = false;
  readonly #answered: (result: AdminResult) => void;

  constructor(answered: (result: AdminResult) => void) {
    this.#answered = answered;
  }

  send(message: Message): void {
    if (message.type === MessageType.adminResult) this.#answered(JSON.parse(message.json) as AdminResult);
  }

  sendLazily(message: Message): void {
    this.send(message);
  }
}

export class SimTasks {
  readonly isEnabled: boolean;
  readonly #world: World;
  readonly #prng: Prng;
  /** By request, answered with success. */
  readonly #drained = new Set<number>();
  readonly #added = new Set<number>();
  #restartAsked = false;
  readonly #drainsAsked = new Set<number>();
  #lastDrained = -1;
  #cancels = 0;
  #strikes = 0;
  #replicas: number | null = null;
  #balanced = false;
  #rid = 0;

  constructor(world: World, isWanted: boolean | undefined) {
    this.#world = world;
    this.#prng = new Prng(world.seed ^ streamSalt);
    const drawn = this.#prng.next() < share;
    this.isEnabled = isWanted ?? drawn;
  }

  /** The label of a node's host; '': every node stands alone. */
  labelOf(pid: number): string {
    const hosts = this.#world.plan.nodeCount - 1;
    return this.isEnabled && this.#world.seed % 3 === 0 && hosts > 1 ? `host-${pid % hosts}` : '';
  }

  schedule(): void {
    if (!this.isEnabled) return;
    const { queue, plan } = this.#world;
    const count = this.#prng.int(1, 5);
    for (let i = 0; i < count; i++) {
      queue.after(this.#prng.between(0, plan.faultMs), () => {
        if (!this.#world.calm) this.#strike(this.#draw());
      });
    }
    const prng = new Prng(this.#world.seed ^ cancelSalt);
    if (prng.next() >= cancelShare) return;
    for (let i = prng.int(1, 3); i > 0; i--) {
      queue.after(prng.between(0, plan.faultMs), () => {
        if (!this.#world.calm) this.#strike({ command: 'cancel' });
      });
    }
  }

  #strike(request: AdminRequest | null): void {
    const world = this.#world;
    const { manager, coverage } = world;
    if (request === null || !manager.alive) return;
    if (request.command === 'drain') this.#drainsAsked.add(request.nodeId);
    if (request.command === 'restart-rolling') this.#restartAsked = true;
    // What is not answered may have been taken on all the same.
    if (request.command === 'set-replicas') this.#replicas = null;
    if (request.command === 'cancel') {
      this.#cancels++;
      this.#drained.delete(this.#lastDrained);
    }
    const cancelsBefore = this.#cancels;
    const number = ++this.#strikes;
    this.#balanced = false;
    if (world.isTracing) world.trace(`administrator: ${JSON.stringify(request)}`);
    this.#ask(request, (result) => {
      if (world.isTracing) world.trace(`administrator is told ${JSON.stringify(result)}`);
      // What was asked for since may have taken its place.
      if (result.ok && number === this.#strikes)
        world.observer.savedFirst.acceptedTask(request, result.nodeIds ?? []);
      if (result.ok) this.#accepted(request, result, this.#cancels > cancelsBefore);
      else coverage.note('taskRefused');
    });
  }

  #ask(request: AdminRequest, answered: (result: AdminResult) => void): void {
    const { manager } = this.#world;
    const message = { type: MessageType.admin, rid: ++this.#rid, json: JSON.stringify(request) };
    manager.post(() => {
      manager.core.onMessage(new AdminLink(answered), message);
    });
  }

  /**
   * He is told in the status that slots wait for what nobody has, and says that it is gone for good (D3).
   * @param isOverdue - he sees that nothing has moved for long, and that it was silent when it died (M3)
   */
  acceptLossIfAsked(isOverdue: boolean): void {
    const { core } = this.#world.manager;
    const isWaiting = core.map?.slots.every(({ replicas }) => replicas.length > 0) === false;
    const isTold = (): boolean =>
      core.status().warnings?.some((line) => /came back .*--accept-loss/.test(line)) === true;
    if (isOverdue || (isWaiting && isTold())) this.acceptLoss();
  }

  /** Whatever waits is gone for good, as he says, whether he has been told so or not. */
  acceptLoss(): void {
    const { manager, coverage, plan } = this.#world;
    if (!plan.hasDisks || !manager.alive) return;
    coverage.note('lossAccepted');
    if (this.#world.isTracing) this.#world.trace('administrator: accepts the loss');
    manager.post(() => {
      this.#world.observer.lossAccepted();
      this.#ask({ command: 'accept-loss' }, () => undefined);
    });
  }

  #draw(): AdminRequest | null {
    const prng = this.#prng;
    const { nodes } = this.#world.manager.core.status();
    const kind = prng.pick([
      'add',
      'drain',
      'drain',
      'rebalance',
      'rebalance',
      'replicas',
      'restart',
      'restart',
    ]);
    switch (kind) {
      case 'add':
        return this.#added.size < addedNodesMax ? { command: 'add-nodes', count: 1 } : null;
      case 'drain':
        return nodes.length > 0 ? { command: 'drain', nodeId: prng.pick(nodes).id } : null;
      case 'rebalance':
        return { command: 'rebalance', by: prng.pick(['slots', 'slots', 'bytes', 'load']) };
      case 'replicas':
        return { command: 'set-replicas', replicas: prng.int(1, replicasDrawnMax) };
      default:
        return { command: 'restart-rolling' };
    }
  }

  /** @param mayBeOver - a cancel was asked for since */
  #accepted(request: AdminRequest, result: AdminResult & { readonly ok: true }, mayBeOver: boolean): void {
    const { coverage } = this.#world;
    // It may have been asked for before an answer that came meanwhile.
    this.#balanced = false;
    switch (request.command) {
      case 'add-nodes':
        coverage.note('nodeAdded');
        for (const id of result.nodeIds ?? []) this.#added.add(id);
        return;
      case 'drain':
        coverage.note('drain');
        if (!mayBeOver) this.#drained.add(request.nodeId);
        this.#lastDrained = request.nodeId;
        return;
      case 'rebalance':
        coverage.note('rebalance');
        this.#balanced = request.by === 'slots' && !mayBeOver;
        return;
      case 'set-replicas':
        coverage.note('replicasChanged');
        this.#replicas = request.replicas;
        return;
      case 'cancel':
        coverage.note('taskCancelled');
        return;
      default:
        coverage.note('rollingRestart');
    }
  }

  /** Whether all nodes were being restarted at some time since this was called last: a map is decided before it is seen. */
  takeRestart(): boolean {
    const isUnderWay = this.progress?.task === 'restart-rolling';
    const was = this.#restartAsked || isUnderWay;
    this.#restartAsked = isUnderWay;
    return was;
  }

  get progress(): TaskProgress | null {
    let task: TaskProgress | null = null;
    this.#ask({ command: 'progress' }, (result) => {
      if (result.ok) task = result.task ?? null;
    });
    return task;
  }

  /** What has not come of it yet; empty: all has. */
  unfinished(): string {
    if (!this.isEnabled) return '';
    const { progress } = this;
    const { map, settings } = this.#world.manager.core;
    if (progress?.state === 'running' && !this.#mayWait())
      return `the ${progress.task} is not done, ${progress.done} of ${progress.total} steps are`;
    if (this.#replicas !== null && settings.replicas !== this.#replicas)
      return `${settings.replicas} replicas, not ${this.#replicas} as was asked for`;
    if (map?.settings.replicas !== settings.replicas) return 'the map has other settings';
    for (const id of this.#drained) {
      const isForgotten = progress?.state === 'running';
      if (!isForgotten && map.node(id) !== undefined) return `node ${id} was drained and is a member`;
      if (!isForgotten && this.#world.nodes.some((node) => node.alive && node.core.membership.nodeId === id))
        return `node ${id} was drained and runs`;
    }
    const ids = new Set(this.#world.manager.core.status().nodes.map((node) => node.id));
    for (let id = 0; id < this.#world.plan.nodeCount; id++)
      if (!ids.has(id) && !this.#drainsAsked.has(id)) return `node ${id} is gone, and nobody has drained it`;
    for (const id of this.#added)
      if (!ids.has(id) && !this.#drainsAsked.has(id)) return `node ${id} was added and is not known`;
    return this.#isUneven() ? 'the nodes do not carry the same after a rebalancing' : '';
  }

  /** By the book: a node whose end nobody saw is waited for, and a drain for nodes that can take over. */
  #mayWait(): boolean {
    const { coverage, nodes, manager } = this.#world;
    const alive = nodes.filter((node) => node.alive).length;
    return coverage.seen.has('exitUnseen') || alive - 1 < manager.core.settings.replicas;
  }

  /** Where nothing but this could have made it so. */
  #isUneven(): boolean {
    const { coverage, manager, plan, nodes } = this.#world;
    const { map } = manager.core;
    const blurs = ['foreignJoin', 'exitUnseen', 'slotLost'] as const;
    const isBlurred = this.#world.isElsewhere || blurs.some((each) => coverage.seen.has(each));
    if (!this.#balanced || isBlurred || map === null || this.labelOf(0) !== '') return false;
    if (map.nodes.length !== nodes.filter((node) => node.alive).length) return false;
    if (plan.settings.replicas > map.nodes.length || map.settings.replicas > map.nodes.length) return false;
    const spread = (of: (replicas: readonly number[]) => readonly number[]): number => {
      const held = map.slots.flatMap((slot) => of(slot.replicas));
      const counts = map.nodes.map(({ id }) => held.filter((other) => other === id).length);
      return Math.max(...counts) - Math.min(...counts);
    };
    return spread((replicas) => replicas) > 1 || spread((replicas) => replicas.slice(0, 1)) > 1;
  }
}
