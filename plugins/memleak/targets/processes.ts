import type { Candidate } from './candidate.js';
import { type Proc, readCgroups, readExecutable, readProcessOf, readStat } from './proc.js';

interface Known {
  readonly candidate: Candidate;
  /** In which scan it was first seen as it is. */
  readonly since: number;
}

/** Scans in which a process is looked at each time: most that execute do so at once. */
const YOUNG = 5;
/** Later, one scan in so many. */
const EVERY = 10;

/**
 * The processes of this host, looked at again and again. A thousand of them cost a millisecond,
 * since what is known of one is asked for again only now and then: who executes another program
 * late is seen some scans later.
 */
export class Processes {
  #known = new Map<number, Known>();
  #scans = 0;

  constructor(
    private readonly proc: Proc,
    /** All of interest; undefined: every process. */
    private readonly pids: () => Iterable<number> | undefined,
  ) {}

  scan(): readonly Candidate[] {
    this.#scans++;
    const before = this.#known;
    this.#known = new Map();
    const found: Candidate[] = [];
    for (const pid of this.pids() ?? this.proc.pids()) {
      const known = before.get(pid);
      const now = known && !this.#isDue(pid, known) ? known : this.#look(pid, known);
      if (!now) continue;
      this.#known.set(pid, now);
      found.push(now.candidate);
    }
    return found;
  }

  #isDue(pid: number, { since }: Known): boolean {
    return this.#scans - since <= YOUNG || (pid + this.#scans) % EVERY === 0;
  }

  #look(pid: number, known: Known | undefined): Known | undefined {
    const candidate = readCandidate(this.proc, pid);
    if (!candidate) return undefined;
    // The new one even if it is the same: it may have been moved to another cgroup.
    const since = known && isSame(known.candidate, candidate) ? known.since : this.#scans;
    return { candidate, since };
  }
}

/** undefined if it is gone, or is but waited for. */
export function readCandidate(proc: Proc, pid: number): Candidate | undefined {
  const stat = readStat(proc, pid);
  // /proc has the ids of threads as well, though it does not list them.
  if (!stat || stat.zombie || readProcessOf(proc, pid) !== pid) return undefined;
  const { comm, ppid, kernelThread, startTicks } = stat;
  const executable = kernelThread ? undefined : readExecutable(proc, pid);
  let cgroups: readonly string[] | undefined;
  return {
    pid,
    comm,
    ppid,
    kernelThread,
    startTicks,
    executable,
    cgroups() {
      cgroups ??= readCgroups(proc, pid);
      return cgroups;
    },
  };
}

const isSame = (a: Candidate, b: Candidate) =>
  a.startTicks === b.startTicks && a.comm === b.comm && a.executable === b.executable;
