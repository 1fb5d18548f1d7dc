import type { BpfObject } from '../../core/bpf/host.js';
import { readStats } from '../../core/bpf/stats.js';
import { LossWatch } from '../../core/loss-watch.js';
import type { Health } from '../../core/plugin.js';

/** Watches the object's own counts of what it lost (`struct mw_stats`). */
export class Losses {
  readonly #watch: LossWatch<'map_full' | 'read_failures'>;

  constructor(
    private readonly object: BpfObject,
    health: Health,
    capacity: number,
  ) {
    this.#watch = new LossWatch(health, {
      map_full: (count) =>
        `${count} processes are beyond what the hook can follow: they are read at the collection ` +
        `instead; raise plugins.procstat.capacity (${capacity})`,
      read_failures: (count) =>
        `${count} per-CPU counters could not be read: resident memory is not exact`,
    });
  }

  /** Once a collection. */
  check(): void {
    const stats = readStats(this.object);
    this.#watch.check({ map_full: stats?.mapFull ?? 0, read_failures: stats?.readFailures ?? 0 });
  }
}
