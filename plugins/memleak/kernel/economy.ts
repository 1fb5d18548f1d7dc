/** Holds the limit against what the programs on the kernel's allocators cost: pure. */
import { Budget, type Load } from '../targets/cost/budget.js';
import type { ProbeCost } from '../targets/cost/probe-cost.js';
import type { KernelCounts } from './counts.js';
import { GROUPS, type Group } from './decision.js';

/** CPU seconds, rounded up from the figures of README.md: a hit is an allocation or a free, with the
 * second program of frees; what is recorded is freed once. Classic tracepoints: not measured, as the
 * profile says of them twice as much. */
const RAW: ProbeCost = { hit: 0.1e-6, steppedHit: 0.1e-6, record: 1.5e-6 };
const CLASSIC: ProbeCost = { hit: 0.2e-6, steppedHit: 0.2e-6, record: 2e-6 };

const NAMES: Readonly<Record<Group, string>> = {
  slab: 'the kernel’s slab allocator',
  pages: 'the kernel’s page allocator',
  percpu: 'the kernel’s per-CPU allocator',
};

interface Activity {
  readonly hits: number;
  readonly recorded: number;
}

export class KernelEconomy {
  readonly #budget: Budget;
  readonly #before = new Map<Group, Activity>();

  /** `limit`: share of one CPU; 0: none. Nothing is sampled: a free is looked for in any case. */
  constructor(limit: number, strategy: string) {
    const cost = strategy.startsWith('tracepoint') ? CLASSIC : RAW;
    this.#budget = new Budget({ budget: 0, limit, sampling: 0 }, () => cost);
  }

  isLeft(group: Group): boolean {
    return this.#budget.leftUntil(group) !== undefined;
  }

  /** `time`: monotonic, seconds; `counts`: since load, undefined if nothing is attached. What there
   * is to say if something is left from now on, or followed again. */
  weigh(
    time: number,
    attached: readonly Group[],
    counts: KernelCounts | undefined,
  ): string | undefined {
    return this.#budget.decide(time, counts ? this.#loads(attached, counts) : []).said;
  }

  /** For the status; undefined while nothing is left. */
  get words(): string | undefined {
    const left = GROUPS.filter((group) => this.isLeft(group)).map((group) => NAMES[group]);
    if (left.length === 0) return undefined;
    const [is, it] = left.length === 1 ? ['is', 'it costs'] : ['are', 'they cost'];
    return `${left.join(' and ')} ${is} not followed for a while, as ${it} too much: kernel.limit`;
  }

  #loads(attached: readonly Group[], counts: KernelCounts): Load[] {
    const all = activityOf(counts);
    return GROUPS.flatMap((key): Load[] => {
      const before = this.#before.get(key);
      if (!attached.includes(key)) {
        this.#before.delete(key);
        return [];
      }
      const now = all[key];
      this.#before.set(key, now);
      // What came before it was looked at came in an unknown time.
      const { hits, recorded } = before ?? now;
      return [
        {
          key,
          name: NAMES[key],
          hits: now.hits - hits,
          recorded: now.recorded - recorded,
          stepped: 0,
        },
      ];
    });
  }
}

function activityOf(counts: KernelCounts): Record<Group, Activity> {
  const { allocations, frees, recorded, page_hits, page_recorded } = counts;
  const { percpu_hits, percpu_recorded } = counts;
  return {
    slab: {
      hits: allocations + frees - page_hits - percpu_hits,
      recorded: recorded - page_recorded - percpu_recorded,
    },
    pages: { hits: page_hits, recorded: page_recorded },
    percpu: { hits: percpu_hits, recorded: percpu_recorded },
  };
}
