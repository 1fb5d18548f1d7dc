import type { BpfObject } from '../../core/bpf/host.js';
import { readStats } from '../../core/bpf/stats.js';
import { LossWatch } from '../../core/loss-watch.js';
import type { Health } from '../../core/plugin.js';

/**
 * Watches the object's own counts of what it lost (`struct mw_stats`). No count of failures is
 * among them.
 */
export class Losses {
  readonly #watch: LossWatch<'ring_drops' | 'map_full' | 'read_failures'>;

  constructor(
    private readonly object: BpfObject,
    health: Health,
    capacity: number,
  ) {
    this.#watch = new LossWatch(health, {
      ring_drops: (count) =>
        `${count} records found their ring buffer full: failures are told of without the figures ` +
        'of the moment, or attempts not shown',
      map_full: (count) =>
        `${count} failures are beyond what can be told apart, of which only order and migrate ` +
        `type are known; raise plugins.paf.capacity (${capacity})`,
      read_failures: (count) =>
        `${count} figures of zones could not be read, or calls not be found: some are missing`,
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
