import type { BpfObject, LoadedBpf } from '../../core/bpf/host.js';
import { readStats } from '../../core/bpf/stats.js';
import type { Health } from '../../core/plugin.js';
import type { PrCounts } from './events.gen.js';

interface Lost {
  readonly overflow: number;
  readonly spans: number;
  readonly untracked: number;
  readonly abandoned: number;
  readonly unseen: number;
  readonly missed: number;
}

/** What went by unseen, or could not be told apart: said as long as it goes on. */
export class Losses {
  #last: Lost | undefined;

  constructor(
    private readonly object: BpfObject,
    private readonly health: Health,
    private readonly config: { readonly threads: number; readonly capacity: number },
  ) {}

  /** Once a collection. */
  check(loaded: LoadedBpf, counts: readonly PrCounts[]): void {
    const now = this.#read(loaded, counts);
    const last = this.#last;
    this.#last = now;
    const since = (what: keyof Lost) => now[what] - (last?.[what] ?? 0);
    const { threads, capacity } = this.config;
    this.#judge(
      'untracked',
      since('untracked'),
      (n) =>
        `${n} episodes were not followed: raise plugins.pr.threads (${threads} at the same time)`,
    );
    this.#judge(
      'capacity',
      since('overflow'),
      (n) =>
        `${n} episodes are counted, but not whose they are: raise plugins.pr.capacity (${capacity})`,
    );
    this.#judge('spans', since('spans'), (n) => `${n} spans found the ring buffer full`);
    this.#judge(
      'missed',
      since('missed'),
      (n) => `the kernel left out ${n} runs of the programs: counts are too low`,
    );
    this.#judge(
      'abandoned',
      since('abandoned'),
      (n) => `of ${n} episodes no end was seen: they are not counted`,
    );
    this.#judge(
      'unseen',
      since('unseen'),
      (n) =>
        `${n} episodes freed pages that no hook saw: scanned and reclaimed pages are too low ` +
        '(caches of the kernel, or multi-gen LRU before 6.7 without the part shrink-list)',
    );
  }

  #read({ programs }: LoadedBpf, counts: readonly PrCounts[]): Lost {
    const sum = (member: 'untracked' | 'abandoned' | 'unseen') =>
      counts.reduce((total, count) => total + count[member], 0);
    const stats = readStats(this.object);
    const untracked = sum('untracked');
    return {
      untracked,
      abandoned: sum('abandoned'),
      unseen: sum('unseen'),
      overflow: Math.max(0, (stats?.mapFull ?? 0) - untracked),
      spans: stats?.ringDrops ?? 0,
      missed: programs.reduce(
        (total, name) => total + (this.object.programInfo(name).recursionMisses ?? 0),
        0,
      ),
    };
  }

  #judge(id: string, count: number, reason: (count: number) => string): void {
    if (count > 0) this.health.degraded(id, reason(count));
    else this.health.clear(id);
  }
}
