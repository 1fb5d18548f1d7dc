import type { Ages } from './model.js';

export interface AgeQuantiles {
  /** Seconds: half of the outstanding allocations are older. */
  readonly p50: number;
  /** Seconds: a tenth is older. */
  readonly p90: number;
  /** Seconds. */
  readonly oldest: number;
}

/** undefined if nothing is outstanding. Within a power of two, as if all ages in it were as likely. */
export function quantilesOf({ oldest, allocations }: Ages): AgeQuantiles | undefined {
  const total = allocations.reduce((sum, count) => sum + count, 0);
  if (total <= 0) return undefined;
  const quantile = (share: number) => Math.min(oldest, ageAt(allocations, share * total));
  return { p50: quantile(0.5), p90: quantile(0.9), oldest };
}

/** The age, seconds, that `count` of the allocations are younger than. */
function ageAt(allocations: readonly number[], count: number): number {
  let before = 0;
  for (const [n, own] of allocations.entries()) {
    if (own > 0 && before + own >= count) {
      const [from, to] = [n === 0 ? 0 : 2 ** n, 2 ** (n + 1)];
      return (from + ((count - before) / own) * (to - from)) / 1000;
    }
    before += own;
  }
  return Number.POSITIVE_INFINITY;
}
