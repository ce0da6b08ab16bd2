/** Everything that serves administrators, in one: what they want, what is under way, the loads it is planned by. */
import type { AdminResult } from '../../protocol/admin.js';
import type { ClusterMap } from '../../protocol/cluster-map.js';
import type { AdminMessage, Link } from '../../protocol/messages.js';
import type { ClusterSettings } from '../../protocol/settings.js';
import { Admin } from './admin.js';
import { Intent } from './intent.js';
import { NodeIds } from './node-ids.js';
import type { ManagerPorts, ManagerTimings } from './ports.js';
import type { Roster } from './roster.js';
import { SlotDesk } from './slot-desk.js';
import type { KnownNode, ManagerState } from './state.js';
import { TaskPlanner } from './task-plans.js';
import { Tasks } from './tasks.js';

export interface AdministrationOptions {
  readonly ports: ManagerPorts;
  readonly timings: ManagerTimings;
  /** A new cluster's settings; those of `restored` come first. */
  readonly settings: ClusterSettings;
  readonly restored: ManagerState | null;
  readonly nodeCount: number;
  /** Whether nodes that end are started again. */
  readonly respawn: boolean;
  readonly roster: Roster;
  readonly knownNodes: Map<number, KnownNode>;
  readonly map: () => ClusterMap | null;
  readonly isCreated: () => boolean;
  readonly isSettled: (map: ClusterMap, slot: number) => boolean;
  /** The node has been drained: it is not started again. */
  readonly dismissed: (nodeId: number) => void;
  readonly acceptLoss: () => AdminResult;
  /** A slot waits for what the node has (D3). */
  readonly isAwaited: (nodeId: number) => boolean;
  /** Saves the notes as they are now. @returns the serial of the state */
  readonly save: () => number;
  readonly reconcile: () => void;
}

export class Administration {
  readonly intent: Intent;
  readonly desk: SlotDesk;
  readonly tasks: Tasks;
  readonly #ids: NodeIds;
  readonly #admin: Admin;
  readonly #options: AdministrationOptions;
  readonly #replicasAtCreation: number;

  constructor(options: AdministrationOptions) {
    const { ports, roster, knownNodes, restored } = options;
    this.#options = options;
    const settings = restored?.settings ?? options.settings;
    this.#replicasAtCreation = restored?.replicasAtCreation ?? settings.replicas;
    this.intent = new Intent(settings, options.nodeCount, knownNodes);
    this.#ids = new NodeIds(options, restored);
    this.desk = new SlotDesk(ports, roster, settings.slotCount);
    const places = (): number[] => this.places();
    this.tasks = new Tasks({
      roster,
      knownNodes,
      places,
      intent: this.intent,
      isSettled: options.isSettled,
      dismissed: options.dismissed,
      timings: options.timings,
      save: options.save,
      nowMs: () => ports.nowMs(),
      log: (level, text) => {
        ports.log(level, text);
      },
    });
    this.#admin = new Admin({
      ...options,
      respawnEnabled: options.respawn,
      freeId: () => this.freeId(),
      isMember: (id) => roster.members.has(id),
      places,
      intent: this.intent,
      tasks: this.tasks,
      hot: (request) => this.desk.hot(request, options.map()),
      plans: new TaskPlanner(this.intent, this.desk.loads, places),
      spawn: (id) => {
        ports.spawn(id);
      },
    });
  }

  /** Once what `restored` tells of the nodes is known. */
  restore(state: ManagerState): void {
    this.tasks.restore(state);
  }

  /** What the state has of it. */
  toState(): Pick<ManagerState, 'settings' | 'replicasAtCreation' | 'targets' | 'task' | 'nextNodeId'> {
    const { settings, targets } = this.intent;
    const { state: task } = this.tasks;
    return {
      settings,
      targets,
      replicasAtCreation: this.#replicasAtCreation,
      task,
      nextNodeId: this.#ids.next,
    };
  }

  /** Nodes that may hold slots, in order of their ids: members, and those that will be started again. */
  places(): number[] {
    const { knownNodes, roster, respawn } = this.#options;
    const known = [...knownNodes.values()].filter(({ id, spawned, drained }) => {
      const isThere = roster.members.has(id) || (spawned && respawn);
      return isThere && drained !== true;
    });
    return known.map(({ id }) => id).sort((a, b) => a - b);
  }

  /** One that no node has ever had. */
  freeId(): number {
    return this.#ids.free();
  }

  /** Taken out of the cluster for good. */
  isDrained(nodeId: number): boolean {
    return this.#options.knownNodes.get(nodeId)?.drained === true;
  }

  onMessage(link: Link, message: AdminMessage): void {
    this.#admin.onMessage(link, message);
  }

  onPersisted(serial: number): void {
    this.#admin.onPersisted(serial);
  }

  tick(map: ClusterMap): void {
    this.desk.tick(map);
    this.#ids.tick(this.#options.ports.nowMs());
  }

  onPublished(map: ClusterMap): void {
    this.desk.onPublished(map);
  }
}
