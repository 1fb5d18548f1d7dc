import type { BpfObject } from '../../../core/bpf/host.js';
import { readStats } from '../../../core/bpf/stats.js';
import { LossWatch } from '../../../core/loss-watch.js';
import type { Health } from '../../../core/plugin.js';

/** Watches the object's own counts of what found no room (`struct mw_stats`). */
export class Losses {
  readonly #watch: LossWatch<'ring_drops' | 'map_full' | 'read_failures'>;

  constructor(
    private readonly object: BpfObject,
    health: Health,
    room: { readonly max_allocations: number; readonly max_stacks: number },
  ) {
    const { max_allocations, max_stacks } = room;
    this.#watch = new LossWatch(health, {
      ring_drops: (count) =>
        `${count} forks, execs and exits found their ring buffer full: such are seen a second late`,
      map_full: (count) =>
        `${count} allocations or stacks found no room, and are missed or without a stack: raise ` +
        `plugins.memleak.max_allocations (${max_allocations}) or max_stacks (${max_stacks})`,
      read_failures: (count) =>
        `${count} addresses could not be read where posix_memalign put them: such are missed`,
    });
  }

  /** Once a collection. */
  check(): void {
    const stats = readStats(this.object);
    this.#watch.check({
      ring_drops: stats?.ringDrops ?? 0,
      map_full: stats?.mapFull ?? 0,
      read_failures: stats?.readFailures ?? 0,
    });
  }
}
