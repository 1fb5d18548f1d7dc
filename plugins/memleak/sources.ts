/** Those whose allocations are followed, each as the plugin takes it: an account a round. */
import type { ProcessMap } from '../../core/symbolize/symbolizer.js';
import { heapBytes } from './heap.js';
import type { KernelWatch } from './kernel/kernel-watch.js';
import type { Coverage, Reading, Target } from './model.js';
import type { Witness } from './reach/witness.js';
import { Sites } from './sites.js';
import type { FollowedTarget } from './targets/followed-target.js';
import type { Targets } from './targets/targets.js';
import type { UserWatch } from './user/user-watch.js';

/** One allocator in one round. */
export interface SourceAccount {
  /** The same in every round. */
  readonly id: string;
  readonly target: Target;
  readonly readings: readonly Reading[];
  /** By key, of stacks that are seen worse than the rest. */
  readonly coverageByStack?: ReadonlyMap<string, Coverage>;
  /** Absent of the kernel. */
  readonly map?: ProcessMap;
  /** It costs too much, as a whole or in part, and that is not watched for a while. */
  readonly isPaused?: true;
  /** It is gone, and this its last account. */
  readonly ended: boolean;
}

export interface Source {
  /** Everything at one moment. `ages` costs a pass over all that is outstanding. */
  read(ages: boolean): readonly SourceAccount[];
}

const NOTHING: Coverage = {
  samplingInterval: 0,
  missedAllocations: 0,
  missedFrees: 0,
  recorded: 0,
};

export class ProcessSource implements Source {
  readonly #watch: UserWatch;
  readonly #targets: Targets;
  readonly #witness: Pick<Witness, 'reachOf' | 'lastOf'> | undefined;
  /** By account, and by when its figures began. */
  #sites = new Map<string, Sites>();

  constructor(watch: UserWatch, targets: Targets, witness?: Pick<Witness, 'reachOf' | 'lastOf'>) {
    this.#watch = watch;
    this.#targets = targets;
    this.#witness = witness;
  }

  read(ages: boolean): readonly SourceAccount[] {
    // Who ends while this reads has its last account in the next round.
    const targets = this.#targets.current();
    const { readings, coverage } = this.#watch.read({ ages });
    const byProcess = grouped(readings.map((reading) => this.#withReach(reading)));
    const runs = new Map<string, Sites>();
    const accounts = targets.map((target) => {
      const id = `${target.process.pid}:${target.process.startTime}`;
      const scan = this.#witness?.lastOf(target.process);
      // Who runs another program has other sites.
      const run = `${id} ${target.countsSince}`;
      const sites = this.#sites.get(run) ?? new Sites();
      runs.set(run, sites);
      const own = sites.take(byProcess.get(id) ?? [], target);
      const account = accountOf(id, target, own, coverage.get(target.process.pid));
      return scan ? { ...account, target: { ...account.target, scan } } : account;
    });
    this.#sites = runs;
    this.#targets.settle();
    return accounts;
  }

  #withReach(reading: Reading): Reading {
    const { source, key } = reading;
    const reach = source.kind === 'process' ? this.#witness?.reachOf(source, key) : undefined;
    return reach ? { ...reading, reach } : reading;
  }
}

export class KernelSource implements Source {
  readonly #watch: KernelWatch;

  constructor(watch: KernelWatch) {
    this.#watch = watch;
  }

  read(ages: boolean): readonly SourceAccount[] {
    this.#watch.refresh();
    const { readings, coverage, coverageByStack } = this.#watch.read({ ages });
    const { caches, pages, percpu } = this.#watch.followed;
    const target: Target = {
      source: { kind: 'kernel' },
      comm: 'kernel',
      executable: '',
      attributes: {},
      allocators: [...caches, ...(pages ? ['pages'] : []), ...(percpu ? ['percpu'] : [])],
      coverage,
      ...outstandingOf(readings),
    };
    // What it costs is by allocator, and so is who is left: those that are followed have readings.
    const isPaused = this.#watch.tooCostly !== undefined;
    return [
      {
        id: 'kernel',
        target,
        readings,
        coverageByStack,
        ...(isPaused && { isPaused }),
        ended: false,
      },
    ];
  }
}

function grouped(readings: readonly Reading[]): Map<string, Reading[]> {
  const groups = new Map<string, Reading[]>();
  for (const reading of readings) {
    if (reading.source.kind !== 'process') continue;
    const id = `${reading.source.pid}:${reading.source.startTime}`;
    const group = groups.get(id);
    if (group) group.push(reading);
    else groups.set(id, [reading]);
  }
  return groups;
}

function accountOf(
  id: string,
  followed: FollowedTarget,
  readings: readonly Reading[],
  coverage: Coverage = NOTHING,
): SourceAccount {
  const { process, comm, executable, containerId, attributes, allocators, reason } = followed;
  const { countsSince } = followed;
  return {
    id,
    target: {
      source: { kind: 'process', ...process },
      comm,
      executable,
      ...(containerId !== undefined && { containerId }),
      attributes,
      allocators,
      ...(reason !== undefined && { reason }),
      ...(followed.state === 'refused' && { refused: true as const }),
      coverage,
      countsSince,
      ...outstandingOf(readings),
      heapBytes: readings.reduce((sum, reading) => sum + heapBytes(reading, allocators), 0),
      ...(followed.rssAnon !== undefined && { rssAnon: followed.rssAnon }),
      ...(followed.rssAnonBefore !== undefined && { rssAnonBefore: followed.rssAnonBefore }),
    },
    readings,
    ...(followed.map && { map: followed.map }),
    ...(followed.state === 'left' && { isPaused: true as const }),
    ended: followed.state === 'ended',
  };
}

function outstandingOf(readings: readonly Reading[]): {
  readonly bytes: number;
  readonly allocations: number;
} {
  let [bytes, allocations] = [0, 0];
  for (const reading of readings) {
    bytes += reading.bytes;
    allocations += reading.allocations;
  }
  return { bytes, allocations };
}
