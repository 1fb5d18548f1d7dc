import type { Outcome } from './simulate.js';

export interface Tally {
  readonly name: string;
  readonly truth: string;
  readonly programs: number;
  readonly confirmed: number;
  readonly suspected: number;
  /** Confirmed at any time. */
  readonly ever: number;
  /** Median time to confirmation, as a share of the run. */
  readonly time: number | undefined;
  readonly most: number;
}

/** A row for each kind, in the order of the outcomes. */
export function tally(outcomes: readonly Outcome[]): Tally[] {
  const groups = Map.groupBy(outcomes, ({ kind }) => kind);
  return [...groups].map(([{ name, truth }, group]) => {
    const times = group.flatMap(({ confirmedAt }) => confirmedAt ?? []).sort((a, b) => a - b);
    return {
      name,
      truth,
      programs: group.length,
      confirmed: group.filter(({ state }) => state === 'confirmed').length,
      suspected: group.filter(({ state }) => state === 'suspected').length,
      ever: times.length,
      time: times[times.length >> 1],
      most: Math.max(...group.map(({ changes }) => changes)),
    };
  });
}

/** Of the rows whose truth can be known. */
export function rates(rows: readonly Tally[]): { precision: number; recall: number } {
  let right = 0;
  let wrong = 0;
  let missed = 0;
  for (const { truth, programs, confirmed } of rows) {
    if (truth === 'leak') {
      right += confirmed;
      missed += programs - confirmed;
    } else if (truth === 'harmless') wrong += confirmed;
  }
  return { precision: right / Math.max(1, right + wrong), recall: right / (right + missed) };
}
