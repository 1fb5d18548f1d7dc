import { readFileSync } from 'node:fs';
import type { Health } from '../plugin.js';
import { type CgroupLine, type ContainerIdentity, cgroupLine, containerOf } from './cgroup.js';
import { CgroupTree } from './cgroup-tree.js';

export interface CgroupIdentity extends CgroupLine, ContainerIdentity {}

/** What a search by id must offer; `CgroupTree` is the running system's. */
export type CgroupSearch = Pick<CgroupTree, 'find' | 'confirms' | 'idOf'>;

export interface CgroupSources {
  /** The text of /proc/PID/cgroup; throws if the process is gone. */
  readonly read?: (pid: number | 'self') => string;
  /** A hierarchy's cgroups by id; `controller` as for `CgroupPaths.of`. */
  readonly tree?: (controller: string | undefined) => CgroupSearch;
}

const readLive = (pid: number | 'self') => readFileSync(`/proc/${pid}/cgroup`, 'utf8');

/**
 * Paths and containers of cgroups, by the id that the kernel gives them (kernfs node id; one id
 * space per hierarchy). A host has few cgroups and many processes: /proc/PID/cgroup is read once per
 * cgroup, not once per process, and not again as long as the cgroup is seen.
 *
 * By the time an event is decoded, its process may be gone, in another cgroup, or its pid may be
 * another's. So a path from /proc counts only if the folder of that path has the cgroup's id as its
 * inode; otherwise the hierarchy is searched for that inode. In a private cgroup namespace no folder
 * may be visible that confirms the path: then the cgroup is unknown, not assumed.
 */
export class CgroupPaths {
  readonly #read: (pid: number | 'self') => string;
  readonly #tree: (controller: string | undefined) => CgroupSearch;
  readonly #trees = new Map<string | undefined, CgroupSearch>();
  #known = new Map<string, CgroupIdentity>();
  #seen = new Map<string, CgroupIdentity>();
  /** Of the ids that were asked for since the last sweep but one. */
  #unknownBefore = new Set<string>();
  #unknownNow = new Set<string>();
  #unknown = 0;
  #unknownSaid = 0;

  constructor({
    read = readLive,
    tree = (controller) => new CgroupTree(controller),
  }: CgroupSources = {}) {
    this.#read = read;
    this.#tree = tree;
  }

  /** The same by what the kernel says of a task: no id is 0, and ids of v1 are the memory controller's. */
  ofTask(id: number, isV1: boolean, pid: number): CgroupIdentity | undefined {
    return id === 0 ? undefined : this.of(id, pid, isV1 ? 'memory' : undefined);
  }

  /**
   * The cgroup `id`, of which `pid` is or was a member. `controller` names the v1 hierarchy that the
   * id is from; without it, v2. undefined if the cgroup was removed before it could be asked for, or
   * cannot be seen from here.
   */
  of(id: number, pid: number, controller?: string): CgroupIdentity | undefined {
    const key = `${controller ?? ''}:${id}`;
    const known = this.#seen.get(key) ?? this.#known.get(key) ?? this.#ask(id, pid, controller);
    if (known) this.#seen.set(key, known);
    else this.#countUnknown(key);
    return known;
  }

  /**
   * The cgroup that `pid` is in now, for those of which no hook tells an id: the memory controller's
   * where that is v1. undefined if it is gone, or where no folder here is that cgroup.
   */
  ofProcess(pid: number): CgroupIdentity | undefined {
    for (const controller of ['memory', undefined]) {
      const line = this.#lineOf(pid, controller);
      if (!line) continue;
      const id = this.#treeOf(controller).idOf(line.path);
      return id === undefined ? undefined : this.of(id, pid, controller);
    }
    return undefined;
  }

  /** Cgroups that were asked for and could not be told, since the beginning. */
  get unknown(): number {
    return this.#unknown;
  }

  /**
   * Once a collection: forgets the cgroups that nobody asked for since the last call, and tells
   * `health` of those that could not be told since then.
   */
  sweep(health?: Health): void {
    this.#known = this.#seen;
    this.#seen = new Map();
    this.#unknownBefore = this.#unknownNow;
    this.#unknownNow = new Set();
    const count = this.#unknown - this.#unknownSaid;
    this.#unknownSaid = this.#unknown;
    if (count > 0) health?.cgroupsGone(count);
  }

  get size(): number {
    return new Set([...this.#known.keys(), ...this.#seen.keys()]).size;
  }

  #ask(id: number, pid: number, controller: string | undefined): CgroupIdentity | undefined {
    const tree = this.#treeOf(controller);
    const line = this.#lineOf(pid, controller);
    if (line && tree.confirms(line.path, id)) return identityOf(line);
    const path = tree.find(id);
    if (path === undefined) return undefined;
    return identityOf({ line: `${this.#prefix(controller)}${path}`, path });
  }

  #treeOf(controller: string | undefined): CgroupSearch {
    let tree = this.#trees.get(controller);
    if (!tree) {
      tree = this.#tree(controller);
      this.#trees.set(controller, tree);
    }
    return tree;
  }

  #lineOf(pid: number | 'self', controller: string | undefined): CgroupLine | undefined {
    try {
      return cgroupLine(this.#read(pid), controller);
    } catch {
      return undefined; // exited, or hidden by hidepid
    }
  }

  /** What stands in front of the path in a line of that hierarchy: `0::`, `4:memory:`. */
  #prefix(controller: string | undefined): string {
    const own = this.#lineOf('self', controller);
    return own ? own.line.slice(0, own.line.length - own.path.length) : `0:${controller ?? ''}:`;
  }

  #countUnknown(key: string): void {
    if (!this.#unknownNow.has(key) && !this.#unknownBefore.has(key)) this.#unknown++;
    this.#unknownNow.add(key);
  }
}

const identityOf = (line: CgroupLine): CgroupIdentity => ({ ...line, ...containerOf(line.path) });
