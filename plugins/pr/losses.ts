import type { BpfObject, LoadedBpf } from '../../core/bpf/host.js';
import { missedRuns, readStats } from '../../core/bpf/stats.js';
import { LossWatch } from '../../core/loss-watch.js';
import type { Health } from '../../core/plugin.js';
import type { PrCounts } from './events.gen.js';
import type { PagesReport } from './reclaim.js';

type Loss = 'untracked' | 'capacity' | 'spans' | 'missed' | 'abandoned' | 'unseen' | 'strange';

/** What went by unseen, or could not be told apart. */
export class Losses {
  readonly #watch: LossWatch<Loss>;

  constructor(
    private readonly object: BpfObject,
    health: Health,
    { threads, capacity }: { readonly threads: number; readonly capacity: number },
  ) {
    this.#watch = new LossWatch(health, {
      untracked: (n) =>
        `${n} episodes were not followed: raise plugins.pr.threads (${threads} at the same time)`,
      capacity: (n) =>
        `${n} episodes are counted, but not whose they are: raise plugins.pr.capacity (${capacity})`,
      spans: (n) => `${n} spans found the ring buffer full`,
      missed: (n) => `the kernel left out ${n} runs of the programs: counts are too low`,
      abandoned: (n) => `of ${n} episodes no end was seen: they are not counted`,
      unseen: (n) =>
        `${n} episodes freed pages, yet not one list of pages was seen: this kernel’s multi-gen LRU ` +
        'does not say what it does, and the part shrink-list is missing',
      strange: (n) =>
        `of ${n} episodes it is not known what they were to reclaim: this kernel keeps it elsewhere`,
    });
  }

  /** Once a collection. */
  check({ programs }: LoadedBpf, counts: readonly PrCounts[], pages: readonly PagesReport[]): void {
    const sum = (member: 'untracked' | 'abandoned' | 'unseen') =>
      counts.reduce((total, count) => total + count[member], 0);
    const stats = readStats(this.object);
    const untracked = sum('untracked');
    this.#watch.check({
      untracked,
      abandoned: sum('abandoned'),
      // Kernel caches are freed without a look at any list; that no list is ever seen is another matter.
      unseen: pages.some(({ lists }) => lists > 0) ? 0 : sum('unseen'),
      strange: stats?.readFailures ?? 0,
      capacity: Math.max(0, (stats?.mapFull ?? 0) - untracked),
      spans: stats?.ringDrops ?? 0,
      missed: missedRuns(this.object, programs),
    });
  }
}
