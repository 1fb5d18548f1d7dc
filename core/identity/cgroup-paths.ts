import { readFileSync } from 'node:fs';
import { type CgroupLine, type ContainerIdentity, cgroupLine, containerOf } from './cgroup.js';

export interface CgroupIdentity extends CgroupLine, ContainerIdentity {}

/**
 * Paths and containers of cgroups, by the id that the kernel gives them (kernfs node id; one id
 * space a hierarchy). A host has few cgroups and many processes: /proc/PID/cgroup is read once a
 * cgroup, not once a process, and not again as long as the cgroup is seen.
 */
export class CgroupPaths {
  #known = new Map<string, CgroupIdentity>();
  #seen = new Map<string, CgroupIdentity>();

  constructor(
    private readonly read: (pid: number) => string = (pid) =>
      readFileSync(`/proc/${pid}/cgroup`, 'utf8'),
  ) {}

  /**
   * The cgroup `id`, of which `pid` is a member. `controller` names the v1 hierarchy that the id is
   * from; without it, v2. undefined if the process is gone before its cgroup could be asked for.
   */
  of(id: number, pid: number, controller?: string): CgroupIdentity | undefined {
    const key = `${controller ?? ''}:${id}`;
    const known = this.#seen.get(key) ?? this.#known.get(key) ?? this.#ask(pid, controller);
    if (known) this.#seen.set(key, known);
    return known;
  }

  /** Forgets the cgroups that nobody asked for since the last call: their ids may be used again. */
  sweep(): void {
    this.#known = this.#seen;
    this.#seen = new Map();
  }

  get size(): number {
    return new Set([...this.#known.keys(), ...this.#seen.keys()]).size;
  }

  #ask(pid: number, controller: string | undefined): CgroupIdentity | undefined {
    let text: string;
    try {
      text = this.read(pid);
    } catch {
      return undefined; // exited, or hidden by hidepid: the next member may be readable
    }
    const line = cgroupLine(text, controller);
    return line && { ...line, ...containerOf(line.path) };
  }
}
