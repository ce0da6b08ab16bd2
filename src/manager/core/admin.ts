/**
 * Answers administrators. What changes the cluster is saved before it is answered, so that a request that was answered
 * outlives the manager; whoever gets no answer asks for the progress.
 */
import type { AdminRequest, AdminResult, TaskProgress } from '../../protocol/admin.js';
import { MessageType } from '../../protocol/messages.js';
import type { AdminMessage, Link } from '../../protocol/messages.js';
import { nodesMax, replicasMax } from '../../protocol/settings.js';
import { parseAdminRequest } from './admin-request.js';
import type { Intent } from './intent.js';
import { presentOf } from './state.js';
import type { KnownNode } from './state.js';
import type { TaskPlan, TaskPlanner } from './task-plans.js';
import type { Tasks } from './tasks.js';

const taskNames: Readonly<Record<TaskProgress['task'], string>> = {
  drain: 'a drain',
  rebalance: 'a rebalance',
  'set-replicas': 'a change of replicas',
  'restart-rolling': 'a rolling restart',
};

export interface AdminOptions {
  readonly intent: Intent;
  readonly tasks: Tasks;
  readonly plans: TaskPlanner;
  readonly knownNodes: Map<number, KnownNode>;
  /** Nodes that may hold slots, in order of their ids. */
  readonly places: () => readonly number[];
  /** The cluster has been created. */
  readonly isCreated: () => boolean;
  /** Whether nodes that end are started again. */
  readonly respawnEnabled: boolean;
  readonly freeId: () => number;
  /** A process has that id, as far as is known. */
  readonly isMember: (nodeId: number) => boolean;
  readonly spawn: (nodeId: number) => void;
  /** Gives up what only nodes that are away could bring back (D3, M3). */
  readonly acceptLoss: () => AdminResult;
  readonly hot: (request: Extract<AdminRequest, { command: 'hot' }>) => AdminResult;
  /** Saves the notes as they are now. @returns the serial of the state */
  readonly save: () => number;
  /** Has the next map derived from the notes. */
  readonly reconcile: () => void;
}

/** Forked at once; more are asked for again. */
const nodesAtOnceMax = 64;

interface Waiting {
  readonly serial: number;
  readonly run: () => void;
}

export class Admin {
  readonly #options: AdminOptions;
  readonly #waiting: Waiting[] = [];
  #savedSerial = 0;

  constructor(options: AdminOptions) {
    this.#options = options;
  }

  onMessage(link: Link, { rid, json }: AdminMessage): void {
    const answer = (result: AdminResult): void => {
      link.send({ type: MessageType.adminResult, rid, json: JSON.stringify(result) });
    };
    const request = parseAdminRequest(json);
    if (typeof request === 'string') answer(refused(request));
    else if (!this.#options.isCreated())
      answer(refused('the cluster is still starting; ask again in a moment'));
    else this.#run(request, answer);
  }

  #run(request: AdminRequest, answer: (result: AdminResult) => void): void {
    const { tasks } = this.#options;
    switch (request.command) {
      case 'progress':
        answer({ ok: true, task: tasks.progress });
        return;
      case 'hot':
        answer(this.#options.hot(request));
        return;
      case 'accept-loss':
        this.#answerSaved(this.#options.acceptLoss(), answer);
        return;
      case 'cancel':
        this.#answerSaved(this.#cancel(), answer);
        return;
      case 'add-nodes':
        this.#addNodes(request.count, answer);
        return;
      case 'start-node':
        answer(this.#startNode(request.nodeId));
        return;
      case 'rebalance':
        if (request.dryRun === true) {
          answer({ ok: true, moves: this.#options.plans.rebalance(request.by).moves });
          return;
        }
        break;
      default:
        break;
    }
    this.#answerSaved(this.#busy(request) ?? this.#begin(request), answer);
  }

  #answerSaved(result: AdminResult, answer: (result: AdminResult) => void): void {
    if (result.ok) this.#whenSaved(() => answer(result));
    else answer(result);
  }

  /** The state of that serial is saved. */
  onPersisted(serial: number): void {
    this.#savedSerial = Math.max(this.#savedSerial, serial);
    while (this.#waiting[0] !== undefined && this.#waiting[0].serial <= serial) this.#waiting.shift()?.run();
  }

  #whenSaved(run: () => void): void {
    const serial = this.#options.save();
    if (serial <= this.#savedSerial) run();
    else this.#waiting.push({ serial, run });
    this.#options.reconcile();
  }

  #busy({ command }: AdminRequest): AdminResult | null {
    const { progress, isRunning } = this.#options.tasks;
    if (progress === null || !isRunning) return null;
    const { task, done, total } = progress;
    // The one that may turn round.
    if (task === 'set-replicas' && command === task) return null;
    return refused(
      `${taskNames[task]} is under way (${done} of ${total} steps are done); wait until it has ended, or cancel it`,
    );
  }

  #cancel(): AdminResult {
    const { tasks } = this.#options;
    const { progress, isRunning } = tasks;
    if (progress === null || !isRunning) return refused('no task is under way');
    if (progress.task === 'set-replicas') {
      return refused(
        'some keys have the new number of copies already, and all must have the same: ' +
          'set the number of replicas that it shall be instead, and it turns round',
      );
    }
    tasks.cancel();
    return { ok: true, task: tasks.progress };
  }

  /** Known before they are forked: no later manager takes one for a stranger. */
  #addNodes(count: number, answer: (result: AdminResult) => void): void {
    const { knownNodes, freeId, spawn, respawnEnabled } = this.#options;
    if (count > nodesAtOnceMax) {
      answer(refused(`${count} nodes at once are too many; add at most ${nodesAtOnceMax}, then again`));
      return;
    }
    const present = presentOf(knownNodes).length;
    if (present + count > nodesMax) {
      answer(refused(`a cluster has at most ${nodesMax} nodes; this one has ${present}`));
      return;
    }
    if (!respawnEnabled) {
      answer(refused('this manager starts no nodes again (--no-respawn), and none anew'));
      return;
    }
    const nodeIds = Array.from({ length: count }, () => {
      const id = freeId();
      knownNodes.set(id, { id, spawned: true, pid: 0 });
      return id;
    });
    this.#whenSaved(() => {
      for (const id of nodeIds) spawn(id);
      answer({ ok: true, nodeIds });
    });
  }

  #startNode(nodeId: number): AdminResult {
    const { knownNodes, isMember, spawn, respawnEnabled } = this.#options;
    const known = knownNodes.get(nodeId);
    if (known === undefined || known.drained === true) return refused(`there is no node ${nodeId}`);
    if (isMember(nodeId)) return refused(`node ${nodeId} runs, or its lease has not run out yet`);
    if (!known.spawned) {
      return refused(
        `node ${nodeId} was not started by this manager: ` +
          'give the command again that started it, gtstore node with the same --data-dir',
      );
    }
    if (respawnEnabled) return refused(`node ${nodeId} is being started again, as every node here that dies`);
    spawn(nodeId);
    return { ok: true, nodeIds: [nodeId] };
  }

  #begin(request: AdminRequest): AdminResult {
    switch (request.command) {
      case 'drain':
        return this.#drain(request.nodeId, request.mbPerSecond);
      case 'rebalance':
        return this.#beginMoves('rebalance', this.#options.plans.rebalance(request.by), request);
      case 'set-replicas':
        return this.#setReplicas(request.replicas, request.mbPerSecond);
      case 'restart-rolling':
        return this.#restartRolling();
      default:
        return refused(`${request.command} is no task`);
    }
  }

  #beginMoves(
    task: 'drain' | 'rebalance' | 'set-replicas',
    plan: TaskPlan,
    options: { readonly mbPerSecond?: number | undefined; readonly nodeId?: number },
  ): AdminResult {
    const { tasks } = this.#options;
    tasks.beginMoves(task, plan, options);
    return { ok: true, moves: plan.moves, task: tasks.progress };
  }

  #drain(nodeId: number, mbPerSecond: number | undefined): AdminResult {
    const { places, intent, plans, knownNodes } = this.#options;
    const ids = places();
    const { replicas } = intent.settings;
    // One that is away for good, too: it holds nothing, and shall not be shown any more.
    const known = knownNodes.get(nodeId);
    const isKnown = known !== undefined && known.drained !== true;
    if (!isKnown) return refused(`there is no node ${nodeId}; there are ${ids.join(' ')}`);
    const left = ids.filter((id) => id !== nodeId).length;
    if (left < replicas) {
      return refused(
        `without node ${nodeId} there ${left === 1 ? 'is 1 node' : `are ${left} nodes`}, too few for ${replicas} replicas: ` +
          'add nodes or lower the number of replicas first',
      );
    }
    return this.#beginMoves('drain', plans.drain(nodeId), { mbPerSecond, nodeId });
  }

  #setReplicas(replicas: number, mbPerSecond: number | undefined): AdminResult {
    const { places, intent, plans } = this.#options;
    const nodeCount = places().length;
    if (replicas > replicasMax) return refused(`${replicas} replicas: give at most ${replicasMax}`);
    if (replicas > nodeCount) {
      return refused(
        `${replicas} replicas need at least ${replicas} nodes; there ${nodeCount === 1 ? 'is' : 'are'} ${nodeCount}: add nodes first`,
      );
    }
    const plan = plans.setReplicas(replicas);
    intent.settings = { ...intent.settings, replicas };
    return this.#beginMoves('set-replicas', plan, { mbPerSecond });
  }

  #restartRolling(): AdminResult {
    const { places, tasks, knownNodes, respawnEnabled } = this.#options;
    const ids = places();
    if (!respawnEnabled) return refused('nodes that end are not started again here (--no-respawn)');
    if (ids.length < 2)
      return refused('there is one node only, and its data would end with it: add nodes first');
    tasks.beginRestarts(ids.filter((id) => knownNodes.get(id)?.spawned === true));
    return { ok: true, task: tasks.progress };
  }
}

function refused(error: string): AdminResult {
  return { ok: false, error };
}
