import type { BpfObject } from '../../core/bpf/host.js';
import type { Health } from '../../core/plugin.js';

const KEY = new Uint8Array(4);

/**
 * Watches the object's own counts of what it lost (`struct mw_stats`), and says so as long as it
 * goes on.
 */
export class Losses {
  #last: ReadonlyMap<string, number>;

  constructor(
    private readonly object: BpfObject,
    private readonly health: Health,
    private readonly capacity: number,
  ) {
    this.#last = this.#read();
  }

  /** Once a collection. */
  check(): void {
    const last = this.#last;
    const now = this.#read();
    const since = (field: string) => (now.get(field) ?? 0) - (last.get(field) ?? 0);
    this.#last = now;
    this.#judge(
      'map_full',
      since('map_full'),
      (count) =>
        `${count} processes are beyond what the hook can follow: they are read at the collection ` +
        `instead; raise plugins.procstat.capacity (${this.capacity})`,
    );
    this.#judge(
      'read_failures',
      since('read_failures'),
      (count) => `${count} per-CPU counters could not be read: resident memory is not exact`,
    );
  }

  #judge(id: string, count: number, reason: (count: number) => string): void {
    if (count > 0) this.health.degraded(id, reason(count));
    else this.health.clear(id);
  }

  /** Sums over the CPUs, by field. */
  #read(): ReadonlyMap<string, number> {
    const layout = this.object.layout('mw_stats');
    const bytes = this.object.map('stats').lookup(KEY) ?? new Uint8Array(0);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new Map(
      layout.fields.map(({ name, offset }) => {
        let total = 0;
        for (let at = 0; at + layout.size <= bytes.length; at += layout.size) {
          total += Number(view.getBigUint64(at + offset, true));
        }
        return [name, total];
      }),
    );
  }
}
