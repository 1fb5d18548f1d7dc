/** What the kinds of programs are made of. */
import type { Random } from './random.js';
import type { Trace } from './trace.js';

/** Calls `each` at times of which there are about `rate` a second, regularly or at random. */
export function arrivals(
  random: Random,
  from: number,
  to: number,
  rate: number,
  each: (time: number) => void,
  regular = random.chance(0.5),
): void {
  const mean = 1 / rate;
  for (let time = from + mean * random.next(); time < to; ) {
    each(time);
    time += regular ? mean * (1 + 0.05 * random.normal()) : random.exponential(mean);
  }
}

/** Sizes of one call site: one size, a narrow range, or of all orders. */
export function sizes(random: Random): () => number {
  const typical = random.scale(16, 65_536);
  const kind = random.integer(0, 2);
  if (kind === 0) return () => typical;
  if (kind === 1) return () => typical * random.between(0.5, 1.5);
  return () => typical * Math.exp(1.2 * random.normal());
}

/** Allocations that are freed after a while: stationary traffic. */
export function churn(
  random: Random,
  trace: Trace,
  length: number,
  { rate, lifetime }: { rate: number; lifetime: number },
): void {
  const size = sizes(random);
  const fixed = random.chance(0.3);
  arrivals(random, 0, length, rate, (time) => {
    trace.add(time, time + (fixed ? lifetime : random.exponential(lifetime)), size());
  });
}

/** Rate at which about `events` happen in the run. */
export const rateFor = (random: Random, length: number, least: number, most: number): number =>
  random.scale(least, most) / length;
