/**
 * What administrators have asked for and takes a while: one task at a time, which goes on whoever asks. A task is
 * nothing but explicit targets of slots, some in force and some to come, or a list of nodes to restart; all of it is
 * part of the manager's state, and the planner does the rest. So it survives the end of any process, and a restarted
 * manager just goes on.
 *
 * Only so many slots move at once: a step begins when an earlier one has reached its target, as far as the nodes that
 * are there allow. A task begins with few and doubles them from step to step: nodes run code for the first time then.
 */
import type { TaskProgress } from '../../protocol/admin.js';
import type { ClusterMap } from '../../protocol/cluster-map.js';
import { MessageType } from '../../protocol/messages.js';
import type { Link } from '../../protocol/messages.js';
import type { Intent } from './intent.js';
import type { Member } from './members.js';
import { Absences } from './absences.js';
import type { LogLevel, ManagerTimings } from './ports.js';
import type { Roster } from './roster.js';
import type { KnownNode, ManagerState, TaskState } from './state.js';
import { isWhole } from './status.js';
import type { TaskPlan } from './task-plans.js';

const stepsAtOnceFirst = 2;
/** So many may move after a while even if none of the first has got where it goes: some slots wait for a disk, or a node. */
const doubledEveryMs = 10_000;

export interface TasksOptions {
  readonly roster: Roster;
  readonly intent: Intent;
  readonly knownNodes: Map<number, KnownNode>;
  /** The slot is as it shall be, as far as the nodes that are there allow. */
  readonly isSettled: (map: ClusterMap, slot: number) => boolean;
  /** Nodes that may hold slots, in order of their ids. */
  readonly places: () => readonly number[];
  /** Has the notes saved as they are: nothing else may change for a while. */
  readonly save: () => void;
  /** The node has been drained. */
  readonly dismissed: (nodeId: number) => void;
  readonly timings: Pick<ManagerTimings, 'stepsAtOnceMax' | 'taskWaitMsMax'>;
  readonly nowMs: () => number;
  readonly log: (level: LogLevel, text: string) => void;
}

type Beginning = Partial<TaskState> & Pick<TaskState, 'task'>;

export class Tasks {
  readonly #options: TasksOptions;
  readonly #absences: Absences;
  /** Nodes without which a drain cannot end. */
  readonly #missing: Absences;
  /** Of a drain, for as long as that is so. */
  #missingNote: string | undefined;
  #task: TaskState | null = null;
  /** By this manager. */
  #begunAtMs = -Infinity;

  constructor(options: TasksOptions) {
    this.#options = options;
    this.#absences = new Absences(options.timings.taskWaitMsMax);
    this.#missing = new Absences(options.timings.taskWaitMsMax);
  }

  restore({ targets, task }: ManagerState): void {
    this.#options.intent.targets = targets ?? [];
    this.#begunAtMs = this.#options.nowMs();
    this.#set(task ?? null);
  }

  get state(): TaskState | null {
    return this.#task;
  }

  get isRunning(): boolean {
    return this.#task?.isDone === false;
  }

  get progress(): TaskProgress | null {
    const task = this.#task;
    if (task === null) return null;
    const { bytesTotal, total, steps, moving, restarts, outcome = 'done' } = task;
    const note = this.#missingNote ?? task.note;
    const bytesLeft = [...steps, ...moving].reduce((sum, { bytes }) => sum + bytes, 0);
    return {
      task: task.task,
      state: task.isDone ? outcome : 'running',
      done: total - steps.length - moving.length - restarts.length,
      total,
      bytesDone: bytesTotal - bytesLeft,
      bytesTotal,
      ...(note === undefined ? {} : { note }),
    };
  }

  /** All the slots of a plan, a few at a time. @param mbPerSecond of copies in the whole cluster, about */
  beginMoves(
    task: TaskProgress['task'],
    plan: TaskPlan,
    { mbPerSecond, nodeId }: { readonly mbPerSecond?: number | undefined; readonly nodeId?: number },
  ): void {
    const { intent } = this.#options;
    const { steps, targets, moves } = plan;
    intent.targets = targets;
    // A task that turns round may have a limit already.
    this.#restoreSpeed();
    const copyBytesPerSecondBefore = mbPerSecond === undefined ? null : intent.settings.copyBytesPerSecondMax;
    if (mbPerSecond !== undefined) {
      // What one learner may copy: the nodes that receive anything share the whole.
      const learners = new Set(moves.filter(({ to }) => to >= 0).map(({ to }) => to)).size;
      const copyBytesPerSecondMax = Math.max(1, Math.floor((mbPerSecond * 1e6) / Math.max(1, learners)));
      intent.settings = { ...intent.settings, copyBytesPerSecondMax };
    }
    const bytesTotal = steps.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#begin({
      task,
      steps,
      total: steps.length,
      bytesTotal,
      copyBytesPerSecondBefore,
      nodeId: nodeId ?? -1,
    });
  }

  /** One node after the other, in that order. */
  beginRestarts(nodeIds: readonly number[]): void {
    const { members } = this.#options.roster;
    const restarts = nodeIds.map((id) => [id, members.get(id)?.pid ?? 0] as const);
    this.#begin({ task: 'restart-rolling', restarts, total: restarts.length });
  }

  #begin(beginning: Beginning): void {
    this.#absences.forget();
    this.#missing.forget();
    this.#begunAtMs = this.#options.nowMs();
    const nothing = { steps: [], moving: [], restarts: [], total: 0, bytesTotal: 0, nodeId: -1 };
    this.#set({ ...nothing, isDone: false, copyBytesPerSecondBefore: null, ...beginning });
    this.#options.log('info', `${beginning.task}: begins, ${beginning.total ?? 0} steps`);
  }

  #set(task: TaskState | null): void {
    const { intent } = this.#options;
    this.#task = task;
    this.#missingNote = undefined;
    intent.waiting.clear();
    const running = task?.isDone === false ? task : null;
    for (const { slot } of running?.steps ?? []) intent.waiting.add(slot);
    intent.leavingId = running?.nodeId ?? -1;
    if (running?.restarts[0]?.[0] !== intent.restartingId) intent.restartingId = -1;
  }

  /** What was moved stays moved, what is moving gets where it goes, and the rest is left. */
  cancel(): void {
    this.#end('cancelled');
  }

  /** Takes the task as far as the published map allows; the next map is to be derived after it. */
  advance(map: ClusterMap): void {
    const task = this.#task;
    if (task === null || task.isDone) return;
    if (task.restarts.length > 0) this.#advanceRestart(map, task);
    else this.#advanceMoves(map, task);
  }

  #advanceMoves(map: ClusterMap, task: TaskState): void {
    const { intent, isSettled, timings, nowMs } = this.#options;
    const moving = task.moving.filter(({ slot }) => !isSettled(map, slot));
    const ready = this.#readySteps(task);
    const doublings = Math.floor((nowMs() - this.#begunAtMs) / doubledEveryMs);
    const done = task.total - task.steps.length - moving.length;
    const allowed = Math.max(stepsAtOnceFirst + done, stepsAtOnceFirst * 2 ** doublings);
    const atOnce = Math.min(timings.stepsAtOnceMax, allowed);
    // A slot that waits for the disk of a node that died may do so for ever; nobody else waits for it.
    const underWay = moving.filter(({ slot }) => map.slots[slot]?.replicas.length !== 0);
    const begun = ready.slice(0, Math.max(0, atOnce - underWay.length));
    if (begun.length > 0) {
      const targets = [...intent.targets];
      for (const { slot, target } of begun) targets[slot] = target;
      intent.targets = targets;
    }
    const steps = task.steps.slice(begun.length);
    if (begun.length > 0 || moving.length < task.moving.length)
      this.#set({ ...(this.#task ?? task), steps, moving: [...moving, ...begun] });
    if (steps.length + underWay.length + begun.length > 0) return;
    if (moving.length === 0 && this.#isEmpty(map, task.nodeId)) this.#finish();
    else this.#noteMissing(map, task);
  }

  /** All have moved that can: the others have no replica, or nobody but the node that is drained while others are missing. */
  #noteMissing(map: ClusterMap, task: TaskState): void {
    const { places, nowMs, log } = this.#options;
    const missing = places().filter((id) => id !== task.nodeId && this.#isMissing(id));
    const overdue = this.#missing.overdue(missing, nowMs());
    const hadNote = this.#missingNote !== undefined;
    this.#missingNote = undefined;
    if (overdue.length === 0) return;
    const kept = map.slots.filter(({ replicas }) => replicas.length === 0 || replicas.includes(task.nodeId));
    const what =
      task.nodeId < 0 ? 'have no replica' : `cannot leave node ${task.nodeId}, or have no replica,`;
    this.#missingNote =
      `node ${overdue.join(' ')} has been missing for ${this.#patience}: ` +
      `${kept.length} slots ${what} until it serves again`;
    if (!hadNote) log('warn', `${task.task}: ${this.#missingNote}`);
  }

  /** It has its place in the cluster, and gets no slots for now. */
  #isMissing(id: number): boolean {
    const { roster } = this.#options;
    return roster.members.get(id)?.admitted !== true || roster.lapsed.has(id) || roster.isolated.has(id);
  }

  /** Those up to the first one to a node that was added and is not up yet: it is waited for, unless that takes too long. */
  #readySteps(task: TaskState): TaskState['steps'] {
    const { roster, knownNodes, places, nowMs, log } = this.#options;
    const isNew = (id: number): boolean => knownNodes.get(id)?.pid === 0 && !roster.members.has(id);
    const away = task.steps.length === 0 ? [] : places().filter(isNew);
    const overdue = this.#absences.overdue(away, nowMs());
    if (overdue.length > 0 && task.note === undefined) {
      const note = `node ${overdue.join(' ')} has not come up in ${this.#patience}: others have its part until it does`;
      this.#task = { ...task, note };
      log('warn', `${task.task}: ${note}`);
    }
    const awaited = away.filter((id) => !overdue.includes(id));
    const first = task.steps.findIndex(({ target }) => target.some((id) => awaited.includes(id)));
    return first < 0 ? task.steps : task.steps.slice(0, first);
  }

  get #patience(): string {
    return `${Math.round(this.#options.timings.taskWaitMsMax / 1000)} s`;
  }

  /** The node is in no slot, and no slot may wait for it (D3). */
  #isEmpty(map: ClusterMap, nodeId: number): boolean {
    return !map.slots.some(
      ({ replicas, learners }) =>
        replicas.length === 0 || replicas.includes(nodeId) || learners.includes(nodeId),
    );
  }

  #finish(): void {
    const task = this.#task;
    if (task?.task === 'drain') this.#dismiss(task.nodeId);
    this.#end();
    // No map may come that would save it. *[found: a node that had been drained was admitted again by the next manager]*
    this.#options.save();
  }

  #end(outcome?: TaskState['outcome'], note?: string): void {
    const task = this.#task;
    if (task === null) return;
    this.#restoreSpeed();
    const ended = { ...(outcome === undefined ? {} : { outcome }), ...(note === undefined ? {} : { note }) };
    this.#set({ ...task, isDone: true, ...ended });
    const [level, text] = outcome === 'failed' ? (['error', note ?? ''] as const) : (['info', ''] as const);
    this.#options.log(level, `${task.task}: ${outcome ?? 'done'}${text === '' ? '' : `, ${text}`}`);
  }

  #restoreSpeed(): void {
    const { intent } = this.#options;
    const before = this.isRunning ? (this.#task?.copyBytesPerSecondBefore ?? null) : null;
    if (before !== null) intent.settings = { ...intent.settings, copyBytesPerSecondMax: before };
  }

  /** A drained node is no member any more; when it next speaks up it is told to end. */
  #dismiss(nodeId: number): void {
    const { roster, knownNodes, nowMs, dismissed } = this.#options;
    const known = knownNodes.get(nodeId);
    if (known !== undefined) knownNodes.set(nodeId, { ...known, drained: true });
    const member = roster.members.get(nodeId);
    if (member !== undefined) roster.forget(member, nowMs());
    dismissed(nodeId);
  }

  /**
   * The first node of the list: off its slots once all of them are whole, then ended, started again by its own end, and
   * whole again; then the next.
   */
  #advanceRestart(map: ClusterMap, task: TaskState): void {
    const { intent, roster, log } = this.#options;
    const [id, oldPid] = task.restarts[0] ?? [-1, 0];
    const member = roster.members.get(id);
    const isOld = member?.pid === oldPid;
    const isWholeNow = this.#isWhole(map);
    if (this.#givesUp(map, task)) return;
    if (!isOld) intent.restartingId = -1;
    if (!isOld && member?.admitted === true && isWholeNow) {
      log('info', `node ${id}: restarted`);
      this.#absences.forget();
      this.#set({ ...task, restarts: task.restarts.slice(1) });
      if (task.restarts.length === 1) this.#finish();
    } else if (isOld && intent.restartingId < 0) {
      if (isWholeNow) intent.restartingId = id;
    } else if (isOld && intent.settings.replicas > 1 && !isWholeNow && !this.#isEmpty(map, id)) {
      // Somebody else has failed before it was off its slots: it is needed.
      intent.restartingId = -1;
    }
  }

  /** Nobody but a person can say what has become of a node that stays away. */
  #givesUp(map: ClusterMap, task: TaskState): boolean {
    const { roster, intent, places, nowMs } = this.#options;
    // One that is isolated holds nobody up where others can take its slots: each node that is restarted begins the wait anew.
    const isAway = (id: number): boolean =>
      this.#isMissing(id) || (id === intent.restartingId && this.#isEmpty(map, id));
    const [lost] = this.#absences.overdue(places().filter(isAway), nowMs());
    if (lost === undefined) return false;
    const left = task.restarts.map(([id]) => id).join(' ');
    const away = roster.isolated.has(lost) ? 'off its slots' : 'away';
    this.#end(
      'failed',
      `node ${lost} has been ${away} for ${this.#patience}; not restarted: ${left}. ` +
        `See in the log what keeps node ${lost}, then restart again`,
    );
    this.#options.save();
    return true;
  }

  /** Every slot has all the replicas that there are nodes for, and everybody knows. */
  #isWhole(map: ClusterMap): boolean {
    const { roster, intent, places } = this.#options;
    const wanted = Math.min(intent.settings.replicas, places().length);
    return isWhole(map, roster) && map.slots.every(({ replicas }) => replicas.length >= wanted);
  }

  /** A node that is off its slots in order to be restarted is told to end, again and again. */
  onHeartbeat(member: Member, link: Link, map: ClusterMap): void {
    const [id, oldPid] = this.#task?.restarts[0] ?? [-1, 0];
    if (
      !this.isRunning ||
      member.id !== id ||
      member.pid !== oldPid ||
      this.#options.intent.restartingId !== id
    )
      return;
    if (this.#isEmpty(map, id)) link.send({ type: MessageType.stop, epoch: map.epoch, fault: '' });
  }

  /** The node ends because it was told to: that is no failure. */
  isBeingRestarted(nodeId: number): boolean {
    return this.#options.intent.restartingId === nodeId;
  }
}
