import type { CodeRange } from '../user/user-watch.js';

/** As many as the kernel's side looks through for each frame. */
export const MAX_RANGES = 16;

/**
 * Where code is, as at most `max` ranges: neighbours grow together, those with the smallest gap
 * first, so that heap and stacks, which are far from code, stay outside.
 */
export function codeRanges(mappings: Iterable<CodeRange>, max = MAX_RANGES): CodeRange[] {
  const sorted = [...mappings].sort((a, b) => (a.start < b.start ? -1 : 1));
  if (sorted.length === 0) return [];
  const gaps = sorted
    .slice(1)
    .map(({ start }, n) => ({ n: n + 1, gap: start - (sorted[n] as CodeRange).end }))
    .sort((a, b) => (a.gap > b.gap ? -1 : 1));
  const cuts = gaps
    .slice(0, max - 1)
    .map(({ n }) => n)
    .sort((a, b) => a - b);
  return [0, ...cuts].map((from, n) => {
    const members = sorted.slice(from, cuts[n] ?? sorted.length);
    const end = members.reduce((most, one) => (one.end > most ? one.end : most), 0n);
    return { start: (members[0] as CodeRange).start, end };
  });
}
