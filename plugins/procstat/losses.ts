import type { BpfObject, LoadedBpf } from '../../core/bpf/host.js';
import { readStats } from '../../core/bpf/stats.js';
import { LossWatch } from '../../core/loss-watch.js';
import type { Health } from '../../core/plugin.js';

/** Watches the object's own counts of what it lost (`struct mw_stats`). */
export class Losses {
  readonly #watch: LossWatch<'map_full' | 'read_failures'>;

  readonly #object: BpfObject;

  constructor({ object, strategy }: LoadedBpf, health: Health, capacity: number) {
    const raise = `raise plugins.procstat.capacity (${capacity})`;
    this.#object = object;
    this.#watch = new LossWatch(health, {
      map_full: (count) =>
        strategy === 'task-list'
          ? `${count} tasks found the table of tasks full and were not read; ${raise}`
          : `${count} processes are beyond what the hook can follow: they are read at the ` +
            `collection instead; ${raise}`,
      read_failures: (count) =>
        `${count} per-CPU counters could not be read: resident memory is not exact`,
    });
  }

  /** Once a collection. */
  check(): void {
    const stats = readStats(this.#object);
    this.#watch.check({ map_full: stats?.mapFull ?? 0, read_failures: stats?.readFailures ?? 0 });
  }
}
