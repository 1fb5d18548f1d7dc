import type { Ages } from '../model.js';
import { COLUMN, delayOf, type Horizon } from './horizon.js';

/** Allocations that are at least 2^octave ms old. */
export function olderThan(allocations: readonly number[], octave: number): number {
  let sum = 0;
  for (let n = allocations.length - 1; n >= octave && n >= 0; n--) sum += allocations[n] ?? 0;
  return sum;
}

/**
 * Generations that the growth is said to consist of must be found alive. What had grown by a time
 * in the past would now be at least as old; if the old allocations are fewer, then growth is of a
 * crowd whose members come and go (sessions under rising load, a queue), and no leak.
 *
 * @param column of the counts that grew @param start when growth began @param ages at `time`
 * @returns the least share found, of the generations that can be told; undefined if none can be
 */
export function survivalOf(
  horizon: Horizon,
  column: number,
  start: number,
  time: number,
  ages: Ages,
  unit: number,
): number | undefined {
  const delay = delayOf(horizon, column);
  const span = time - start;
  // The last look at ages may be from before this growth.
  if (span <= 0) return undefined;
  const oldest = Math.ceil(Math.log2(Math.max(1, span * 1000)));
  const base = envelopeAt(horizon, column, start);
  const before = Math.min(base, olderThanAge(ages, span));
  let least: number | undefined;
  // Not younger than a slot: what comes and goes within it is in no floor.
  for (let octave = oldest - 1; 2 ** octave >= 1000 * Math.max(span / 6, delay); octave--) {
    const age = 2 ** octave / 1000;
    const claimed = envelopeAt(horizon, column, time - age + delay) - base;
    if (!(claimed >= 3 * unit)) continue;
    const share = (olderThan(ages.allocations, octave) - before) / claimed;
    least = least === undefined ? share : Math.min(least, share);
  }
  return least;
}

/** Allocations older than `age` seconds, as if those of one octave were spread evenly. */
function olderThanAge({ allocations, oldest }: Ages, age: number): number {
  const octave = Math.floor(Math.log2(Math.max(1, age * 1000)));
  const from = 2 ** octave / 1000;
  const to = Math.min(2 * from, Math.max(oldest, age));
  const share = to > from ? (to - age) / (to - from) : 0;
  return olderThan(allocations, octave + 1) + share * (allocations[octave] ?? 0);
}

/** The least in the column at `time` or later; at `time` what the last slot before it had. */
function envelopeAt(horizon: Horizon, column: number, time: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let row = horizon.length - 1; row >= 0; row--) {
    least = Math.min(least, horizon.at(row, column));
    if (horizon.at(row, COLUMN.time) <= time) return least;
  }
  return least;
}
