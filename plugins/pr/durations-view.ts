import { formatCount } from '../../core/cli/format.js';
import type { Column, Table } from '../../core/cli/view.js';
import { durationText } from './duration-text.js';
import { upperBound } from './durations.js';
import type { TypeReport } from './reclaim.js';

const BAR = 30;

/** Episodes by how long they took: a row a power of two, a column a type that has any. */
export function durationsTable(types: readonly TypeReport[], rows: number): Table | undefined {
  const shown = types.filter(({ durations }) => durations.buckets.some((count) => count > 0));
  if (shown.length === 0) return undefined;
  const all = sumBuckets(shown);
  const first = all.findIndex((count) => count > 0);
  const last = all.findLastIndex((count) => count > 0);
  // Where it does not fit, the short ones are the least of anybody's worries: they share a row.
  const from = Math.max(first, last - Math.max(1, rows) + 1);
  const most = Math.max(...all);
  const lines = range(from, last).map((bucket) => {
    const count = (buckets: readonly number[]) =>
      bucket === from ? sum(buckets.slice(0, from + 1)) : (buckets[bucket] ?? 0);
    return [
      durationText(upperBound(bucket) * 1e9),
      ...shown.map(({ durations }) => formatCount(count(durations.buckets))),
      '▇'.repeat(Math.ceil((BAR * Math.min(most, count(all))) / most)),
    ];
  });
  const columns: Column[] = [
    { title: 'UP TO', align: 'right', priority: 0 },
    ...shown.map(
      ({ type }): Column => ({ title: type.toUpperCase(), align: 'right', priority: 0 }),
    ),
    { title: 'EPISODES', align: 'left', priority: 1 },
  ];
  return { title: 'How long', columns, rows: lines };
}

function sumBuckets(types: readonly TypeReport[]): number[] {
  const all: number[] = [];
  for (const { durations } of types) {
    for (const [n, count] of durations.buckets.entries()) all[n] = (all[n] ?? 0) + count;
  }
  return all;
}

const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, n) => from + n);
