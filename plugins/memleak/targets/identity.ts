import { basename } from 'node:path';
import { bootSecond } from '../../../core/identity/boot-moment.js';
import { CgroupPaths } from '../../../core/identity/cgroup-paths.js';
import {
  attributesOfProcess,
  type ProcessAttributes,
  startTimeOf,
} from '../../../core/identity/who.js';
import type { ProcessId } from '../model.js';
import type { Candidate } from './candidate.js';
import { NS_PER_TICK, type Proc, readStat } from './proc.js';

/** Bytes of an executable's name that are kept, as the kernel's records have it. */
const NAME_BYTES = 63;

/** What backends call a process, from what /proc says of it now. */
export class Identities {
  readonly #cgroups: CgroupPaths;
  readonly #bootTime: number;

  constructor(
    private readonly proc: Proc,
    {
      cgroups = new CgroupPaths({ read: (pid) => cgroupText(proc, pid) }),
      bootedAt = bootSecond(),
    }: { readonly cgroups?: CgroupPaths; readonly bootedAt?: number } = {},
  ) {
    this.#cgroups = cgroups;
    this.#bootTime = bootedAt;
  }

  /** A process may move to another cgroup while it lives; `before` is what it was when it ended. */
  of(
    process: ProcessId,
    { comm, executable }: Candidate,
    before?: ProcessAttributes,
  ): ProcessAttributes {
    const { pid, startTime } = process;
    const cgroup = this.#cgroups.ofProcess(pid);
    // Asked afterwards: it is not another's of the same pid.
    if (before && !this.#lives(process)) return before;
    return attributesOfProcess({
      pid,
      startTime: startTimeOf(startTime, this.#bootTime),
      executable: cut(executable === undefined ? comm : basename(executable)),
      cgroup,
    });
  }

  /** Once a collection: forgets the cgroups that no target is in any more. */
  sweep(): void {
    this.#cgroups.sweep();
  }

  #lives({ pid, startTime }: ProcessId): boolean {
    const stat = readStat(this.proc, pid);
    return stat !== undefined && !stat.zombie && stat.startTicks * NS_PER_TICK === startTime;
  }
}

const cgroupText = (proc: Proc, pid: number | 'self') =>
  proc.text(pid === 'self' ? process.pid : pid, 'cgroup');

const cut = (name: string) => Buffer.from(name).subarray(0, NAME_BYTES).toString('utf8');
