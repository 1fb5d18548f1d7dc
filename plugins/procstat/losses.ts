import type { BpfObject } from '../../core/bpf/host.js';
import { type ObjectStats, readStats } from '../../core/bpf/stats.js';
import type { Health } from '../../core/plugin.js';

/**
 * Watches the object's own counts of what it lost (`struct mw_stats`), and says so as long as it
 * goes on.
 */
export class Losses {
  #last: ObjectStats | undefined;

  constructor(
    private readonly object: BpfObject,
    private readonly health: Health,
    private readonly capacity: number,
  ) {
    this.#last = readStats(object);
  }

  /** Once a collection. */
  check(): void {
    const last = this.#last;
    const now = readStats(this.object);
    const since = (field: keyof ObjectStats) => (now?.[field] ?? 0) - (last?.[field] ?? 0);
    this.#last = now;
    this.#judge(
      'map_full',
      since('mapFull'),
      (count) =>
        `${count} processes are beyond what the hook can follow: they are read at the collection ` +
        `instead; raise plugins.procstat.capacity (${this.capacity})`,
    );
    this.#judge(
      'read_failures',
      since('readFailures'),
      (count) => `${count} per-CPU counters could not be read: resident memory is not exact`,
    );
  }

  #judge(id: string, count: number, reason: (count: number) => string): void {
    if (count > 0) this.health.degraded(id, reason(count));
    else this.health.clear(id);
  }
}
