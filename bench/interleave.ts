/**
 * The cost of something that can be on or off, as a ratio: many short rounds, on and off by turns
 * and within the same run, so that what the machine does meanwhile hits both alike.
 */
import { median } from './bench.js';

export interface Ratio {
  /** Cost when on over cost when off: the middle of the rounds. */
  readonly median: number;
  /** Between which the middle lies with 95 % (bootstrap over the rounds). */
  readonly low: number;
  readonly high: number;
  readonly rounds: number;
}

export interface Switchable {
  readonly rounds: number;
  /** Switches it on; gives what switches it off. */
  on(): (() => unknown) | Promise<() => unknown>;
  /** What the work cost; any unit. */
  measure(): Promise<number>;
}

const RESAMPLES = 2000;
const SETTLE_MS = 80;

/** A round is off, on, on, off: what drifts within it cancels. */
export async function interleave({ rounds, on, measure }: Switchable): Promise<Ratio> {
  const ratios: number[] = [];
  await measure();
  for (let round = 0; round < rounds; round++) {
    const before = await measure();
    const off = await on();
    let cost: number;
    try {
      await settle(measure);
      cost = (await measure()) + (await measure());
    } finally {
      await off();
    }
    await settle(measure);
    ratios.push(cost / (before + (await measure())));
  }
  return summary(ratios);
}

/** Closing a perf event makes the next 50 ms of its CPU a tenth slower: what it freed, it frees late. */
async function settle(measure: Switchable['measure']): Promise<void> {
  const end = performance.now() + SETTLE_MS;
  do await measure();
  while (performance.now() < end);
}

export function summary(ratios: readonly number[]): Ratio {
  const random = generator();
  const medians = Array.from({ length: RESAMPLES }, () =>
    median(ratios.map(() => ratios[Math.floor(random() * ratios.length)] ?? Number.NaN)),
  ).sort((a, b) => a - b);
  return {
    median: median(ratios),
    low: medians[Math.floor(RESAMPLES * 0.025)] ?? Number.NaN,
    high: medians[Math.floor(RESAMPLES * 0.975)] ?? Number.NaN,
    rounds: ratios.length,
  };
}

/** The same numbers every time: a bench's spread should come from the machine alone. */
function generator(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** How much more, percent, with its spread. */
export const percentOf = ({ median: middle, low, high, rounds }: Ratio) => ({
  value: (middle - 1) * 100,
  note: `95 %: ${percent(low)} to ${percent(high)}, ${rounds} rounds of off, on, on, off`,
});

const percent = (ratio: number): string => `${((ratio - 1) * 100).toFixed(2)} %`;
