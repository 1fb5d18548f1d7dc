import type { PrCgroup, PrFigures } from './events.gen.js';
import type { Figures } from './reclaim.js';
import type { TableSnapshot } from './table.js';

interface Total {
  episodes: number;
  ns: number;
  maxNs: number;
  requested: number;
  scanned: number;
  reclaimed: number;
  instant: number;
  readonly buckets: number[];
}

const nothing = (): Total => ({
  episodes: 0,
  ns: 0,
  maxNs: 0,
  requested: 0,
  scanned: 0,
  reclaimed: 0,
  instant: 0,
  buckets: [],
});

/** What episodes of each type add up to, over all cgroups: those that had to leave included. */
export class Totals {
  readonly #gone = new Map<number, Total>();

  /** Once a snapshot: what leaves is counted here from now on. */
  of({ entries, overflow, leaving }: TableSnapshot<PrCgroup>): ReadonlyMap<number, Total> {
    for (const row of leaving) add(this.#gone, row.key.type, row);
    const totals = new Map<number, Total>();
    for (const [type, total] of this.#gone) totals.set(type, structuredClone(total));
    for (const { row } of entries) add(totals, row.key.type, row);
    for (const [type, row] of overflow) add(totals, type, row);
    return totals;
  }
}

function add(totals: Map<number, Total>, type: number, row: PrCgroup): void {
  const total = totals.get(type) ?? nothing();
  totals.set(type, total);
  const { figures } = row;
  total.episodes += figures.episodes;
  total.ns += figures.ns;
  total.maxNs = Math.max(total.maxNs, figures.max_ns);
  total.requested += figures.requested;
  total.scanned += figures.scanned;
  total.reclaimed += figures.reclaimed;
  total.instant += row.instant;
  for (const [n, count] of row.buckets.entries())
    total.buckets[n] = (total.buckets[n] ?? 0) + count;
}

export const noTotal: Readonly<Total> = nothing();

export function figuresOf(figures: PrFigures): Figures {
  const { episodes, ns, max_ns: maxNs, requested, scanned, reclaimed } = figures;
  return { episodes, ns, maxNs, requested: requested || undefined, scanned, reclaimed };
}
