import type { CgroupIdentity, CgroupPaths } from '../../core/identity/cgroup-paths.js';
import { attributesOfContainer, attributesOfProcess } from '../../core/identity/who.js';
import type { Command, Commands } from './commands.js';
import type { Process } from './process.js';
import type { WhoseAttributes } from './snapshot.js';

interface Known {
  readonly startNs: number;
  readonly executable: string;
  readonly command: Command | undefined;
  readonly cgroup: CgroupIdentity | undefined;
  readonly attributes: WhoseAttributes;
}

/**
 * Says whose memory it is. Points of a series share one object, which is the same from collection
 * to collection as long as nothing in it changes; and what is not known is not in it, or exporters
 * would have to copy it for every point.
 */
export class Whose {
  #known = new Map<number, Known>();
  #seen = new Map<number, Known>();

  constructor(
    private readonly commands: Commands,
    private readonly cgroups: CgroupPaths,
    private readonly withCommandLine: boolean,
  ) {}

  process(process: Process): WhoseAttributes {
    const command = this.commands.of(process);
    const cgroup = this.cgroupOf(process);
    const { pid, startNs, executable } = process;
    let known = this.#known.get(pid);
    if (
      known?.startNs !== startNs ||
      known.executable !== executable ||
      known.command !== command ||
      known.cgroup !== cgroup
    ) {
      const attributes = this.#describe(process, command, cgroup);
      known = { startNs, executable, command, cgroup, attributes };
    }
    this.#seen.set(pid, known);
    return known.attributes;
  }

  executable({ executable }: Process): WhoseAttributes {
    return { 'process.executable.name': executable };
  }

  container(member: Process): WhoseAttributes {
    return attributesOfContainer(this.cgroupOf(member));
  }

  cgroupOf({ pid, cgroupId, cgroupV1 }: Process): CgroupIdentity | undefined {
    return this.cgroups.ofTask(cgroupId, cgroupV1, pid);
  }

  /** Forgets what nobody asked for since the last call. */
  sweep(): void {
    this.commands.sweep();
    this.cgroups.sweep();
    this.#known = this.#seen;
    this.#seen = new Map();
  }

  #describe(
    process: Process,
    command: Command | undefined,
    cgroup: CgroupIdentity | undefined,
  ): WhoseAttributes {
    return {
      ...attributesOfProcess({ ...process, cgroup }),
      ...(command && { 'process.command': command.command }),
      ...(command && this.withCommandLine && { 'process.command_line': command.line }),
    };
  }
}
