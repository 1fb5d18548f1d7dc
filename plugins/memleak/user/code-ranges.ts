import type { CodeRange } from './user-watch.js';

/**
 * At most `limit` ranges in ascending order that hold all of these: what touches is one, and then
 * those with the smallest gaps between them are.
 */
export function coarsen(ranges: readonly CodeRange[], limit: number): CodeRange[] {
  const sorted = ranges
    .filter(({ start, end }) => start < end)
    .sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  const merged = mergeWithin(sorted, 0n);
  if (merged.length <= limit) return merged;
  const gaps = merged.slice(1).map(({ start }, n) => start - (merged[n]?.end ?? 0n));
  gaps.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const widest = gaps[merged.length - limit - 1] ?? 0n;
  return mergeWithin(merged, widest);
}

function mergeWithin(sorted: readonly CodeRange[], gap: bigint): CodeRange[] {
  const merged: { start: bigint; end: bigint }[] = [];
  for (const { start, end } of sorted) {
    const last = merged.at(-1);
    if (last === undefined || start > last.end + gap) merged.push({ start, end });
    else if (end > last.end) last.end = end;
  }
  return merged;
}
