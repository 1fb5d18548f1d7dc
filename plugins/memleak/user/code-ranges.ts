import type { CodeRange } from './user-watch.js';

/**
 * At most `limit` ranges in ascending order that hold all of these: themselves if they are no more
 * and do not overlap; else what touches is one, and then those with the smallest gaps between them.
 */
export function coarsen(ranges: readonly CodeRange[], limit: number): CodeRange[] {
  const sorted = ranges
    .filter(({ start, end }) => start < end)
    .sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  const apart = sorted.every(({ start }, n) => n === 0 || start >= (sorted[n - 1]?.end ?? 0n));
  if (apart && sorted.length <= limit) return sorted;
  const merged = mergeWithin(sorted, 0n);
  if (merged.length <= limit) return merged;
  const gaps = merged.slice(1).map(({ start }, n) => start - (merged[n]?.end ?? 0n));
  gaps.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const widest = gaps[merged.length - limit - 1] ?? 0n;
  return mergeWithin(merged, widest);
}

/** Those that stay by themselves stay what they are. */
function mergeWithin(sorted: readonly CodeRange[], gap: bigint): CodeRange[] {
  const merged: CodeRange[] = [];
  for (const range of sorted) {
    const last = merged.at(-1);
    if (last === undefined || range.start > last.end + gap) merged.push(range);
    else if (range.end > last.end)
      merged[merged.length - 1] = { start: last.start, end: range.end };
  }
  return merged;
}
