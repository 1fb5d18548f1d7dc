/** What cumulative points of one series gained from one to another, or counted together. Pure. */
import type { Exemplar, HistogramPoint, MetricPoints, ScalarPoint } from './points.js';

export type Point = ScalarPoint | HistogramPoint;

/** Undefined if the counter fell: it was reset in between. */
export function subtract<P extends Point>(now: P, before: P): P | undefined {
  const difference =
    'buckets' in now
      ? subtractHistogram(now, before as unknown as HistogramPoint)
      : subtractScalar(now, before as ScalarPoint);
  return difference as P | undefined;
}

/** What two counters of one series counted together. */
export function add<P extends Point>(one: P, other: P): P {
  const sum =
    'buckets' in one
      ? addHistogram(one, other as unknown as HistogramPoint)
      : { ...one, value: one.value + (other as ScalarPoint).value };
  return sum as P;
}

/** The smallest and largest value since the beginning do not describe an interval. */
export function withoutExtremes<P extends Point>(point: P, startTime = point.startTime): P {
  const { min: _min, max: _max, ...rest } = point as HistogramPoint;
  return { ...rest, startTime } as unknown as P;
}

/** Values in the order of the metadata, so that the order in which they were set does not matter. */
export function seriesKey({ spec }: MetricPoints, { attributes }: Point): string {
  let key = '';
  for (const name of spec.attributes) key += `${attributes[name]}\0`;
  return key;
}

function subtractScalar(now: ScalarPoint, before: ScalarPoint): ScalarPoint | undefined {
  const value = now.value - before.value;
  return value < 0 ? undefined : { ...now, value };
}

function addHistogram(one: HistogramPoint, other: HistogramPoint): HistogramPoint {
  const { offset, buckets } = byBucket(one, other, (a, b) => a + b);
  return withoutExtremes({
    ...one,
    count: one.count + other.count,
    sum: one.sum + other.sum,
    zeroCount: one.zeroCount + other.zeroCount,
    offset,
    buckets,
  });
}

function byBucket(
  one: HistogramPoint,
  other: HistogramPoint,
  combine: (a: number, b: number) => number,
): Pick<HistogramPoint, 'offset' | 'buckets'> {
  const offset = Math.min(one.offset, other.offset);
  const end = Math.max(one.offset + one.buckets.length, other.offset + other.buckets.length);
  const at = (point: HistogramPoint, bucket: number) => point.buckets[bucket - point.offset] ?? 0;
  const buckets = Array.from({ length: end - offset }, (_, i) =>
    combine(at(one, offset + i), at(other, offset + i)),
  );
  return { offset, buckets };
}

function subtractHistogram(
  now: HistogramPoint,
  before: HistogramPoint,
): HistogramPoint | undefined {
  const { offset, buckets } = byBucket(now, before, (a, b) => a - b);
  const count = now.count - before.count;
  const zeroCount = now.zeroCount - before.zeroCount;
  if (count < 0 || zeroCount < 0 || buckets.some((bucket) => bucket < 0)) return undefined;
  const sum = now.sum - before.sum;
  return withoutExtremes({
    ...now,
    count,
    sum,
    zeroCount,
    offset,
    buckets,
    ...(now.exemplars && { exemplars: unsent(now.exemplars, before.exemplars) }),
  });
}

/** Those that were not with the point before: each belongs to the interval that it came in. */
function unsent(now: readonly Exemplar[], before: readonly Exemplar[] = []): readonly Exemplar[] {
  const sent = new Set(before.map(({ span }) => span.spanId));
  return now.filter(({ span }) => !sent.has(span.spanId));
}
