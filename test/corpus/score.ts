/** Outcomes as figures: what of the leaks is found, what of the alarms is true, and how soon. */
import type { Mark } from './manifest.js';
import type { Outcome } from './run.js';
import type { Alarm } from './verdict.js';

export interface Score {
  readonly programs: number;
  readonly leaks: number;
  readonly found: number;
  /** Of those found: with the marked line on the stack. */
  readonly exact: number;
  readonly falseAlarms: number;
  /** Seconds of watching until each was found, ascending. */
  readonly seconds: readonly number[];
  /** The same from the first allocation of the leak that was seen. */
  readonly ages: readonly number[];
}

export function scoreOf(outcomes: readonly Outcome[]): Score {
  const found = outcomes.flatMap(({ verdict }) => verdict.found);
  const missed = outcomes.flatMap(({ verdict }) => verdict.missed);
  return {
    programs: outcomes.length,
    leaks: found.length + missed.length,
    found: found.length,
    exact: found.filter(({ exactness }) => exactness === 'line').length,
    falseAlarms: outcomes.flatMap(({ verdict }) => verdict.falseAlarms).length,
    seconds: found.map(({ seconds }) => seconds).sort((a, b) => a - b),
    ages: found.map(({ age }) => age).sort((a, b) => a - b),
  };
}

/** Alarms that are true, of all. */
export const precision = ({ found, falseAlarms }: Score): number =>
  found + falseAlarms === 0 ? Number.NaN : found / (found + falseAlarms);

/** Leaks that are found, of all. */
export const recall = ({ found, leaks }: Score): number =>
  leaks === 0 ? Number.NaN : found / leaks;

export const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;

/** What went wrong, a line each. */
export const troubles = (outcomes: readonly Outcome[]): string[] =>
  outcomes.flatMap(({ case: { name }, build, verdict }) => [
    ...verdict.missed.map((mark) => `missed: ${name} (${build}): ${place(mark)}`),
    ...verdict.falseAlarms.map((alarm) => `false alarm: ${name} (${build}): ${firstOf(alarm)}`),
    ...verdict.found
      .filter(({ exactness }) => exactness === 'caller')
      .map(({ mark }) => `only its caller: ${name} (${build}): ${place(mark)}`),
  ]);

const place = ({ file, line }: Mark): string => `${file}:${line}`;
const firstOf = ({ text }: Alarm): string => text.split('\n').slice(0, 3).join(' · ');
