/** A collection in the SDK's terms: already aggregated, so no instrument is called. Pure. */
import { type Attributes, type HrTime, ValueType } from '@opentelemetry/api';
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type ExponentialHistogram,
  type MetricData,
  type ScopeMetrics,
} from '@opentelemetry/sdk-metrics';
import type {
  Exemplar,
  HistogramPoint,
  MetricPoints,
  PointAttributes,
  PointBatch,
} from './points.js';
import type { Temporality } from './settings.js';

/** The SDK's histogram point, with what it has no place for. */
interface HistogramDataPoint extends DataPoint<ExponentialHistogram> {
  readonly exemplars?: readonly Exemplar[];
}

/** Those of a point that was made here. */
export const exemplarsOf = (point: DataPoint<unknown>): readonly Exemplar[] =>
  (point as HistogramDataPoint).exemplars ?? [];

/**
 * One plugin is one instrumentation scope. `temporality` is that of counters and histograms in
 * `batch`; what may fall is cumulative in any case, as OpenTelemetry's delta preference says.
 */
export function toScopeMetrics(
  batch: PointBatch,
  version: string,
  temporality: Temporality,
): ScopeMetrics {
  const times = new Times(batch);
  return {
    scope: { name: `mem-watcher.${batch.plugin}`, version },
    metrics: batch.metrics.map((metric) => toMetricData(metric, times, temporality)),
  };
}

function toMetricData(metric: MetricPoints, times: Times, temporality: Temporality): MetricData {
  const { name, spec } = metric;
  const valueType = spec.valueType === 'double' ? ValueType.DOUBLE : ValueType.INT;
  const descriptor = { name, description: spec.description, unit: spec.unit, valueType };
  const cumulative = AggregationTemporality.CUMULATIVE;
  const preferred = temporality === 'delta' ? AggregationTemporality.DELTA : cumulative;
  switch (spec.kind) {
    case 'gauge':
      return {
        descriptor,
        dataPointType: DataPointType.GAUGE,
        aggregationTemporality: cumulative,
        dataPoints: scalars(metric, times),
      };
    case 'histogram':
      return {
        descriptor,
        dataPointType: DataPointType.EXPONENTIAL_HISTOGRAM,
        aggregationTemporality: preferred,
        dataPoints: metric.histograms.map(
          (point): HistogramDataPoint => ({
            ...times.of(point.startTime),
            attributes: toAttributes(point.attributes),
            value: toExponential(point),
            ...(point.exemplars && { exemplars: point.exemplars }),
          }),
        ),
      };
    case 'counter':
    case 'updowncounter':
      return {
        descriptor,
        dataPointType: DataPointType.SUM,
        isMonotonic: spec.kind === 'counter',
        aggregationTemporality: spec.kind === 'counter' ? preferred : cumulative,
        dataPoints: scalars(metric, times),
      };
  }
}

function scalars({ spec, scalars }: MetricPoints, times: Times): DataPoint<number>[] {
  const whole = spec.valueType !== 'double';
  const points: DataPoint<number>[] = [];
  for (const { attributes, value, startTime } of scalars) {
    // The encoding of an integer metric cannot hold a fraction, and NaN has no place in either.
    if (!Number.isFinite(value)) continue;
    const time = times.of(startTime);
    points.push({
      startTime: time.startTime,
      endTime: time.endTime,
      attributes: toAttributes(attributes),
      value: whole ? Math.round(value) : value,
    });
  }
  return points;
}

/** The kernel's powers of two are scale 0: bucket i is (2^i, 2^(i+1)]. */
function toExponential(point: HistogramPoint): ExponentialHistogram {
  const { count, sum, min, max, zeroCount, offset, buckets } = point;
  return {
    count,
    sum,
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
    scale: 0,
    zeroCount,
    positive: { offset, bucketCounts: [...buckets] },
    negative: { offset: 0, bucketCounts: [] },
  };
}

/** An attribute that is undefined is absent. Objects without any are used as they stand. */
export function toAttributes(attributes: PointAttributes): Attributes {
  for (const key in attributes) {
    if (attributes[key] === undefined) {
      return Object.fromEntries(
        Object.entries(attributes).filter(([, value]) => value !== undefined),
      ) as Attributes;
    }
  }
  return attributes as Attributes;
}

/** Fractions of a millisecond become nanoseconds. */
export function toHrTime(unixMs: number): HrTime {
  const seconds = Math.floor(unixMs / 1000);
  return [seconds, Math.round((unixMs - seconds * 1000) * 1e6)];
}

/** Most points of a batch begin together: their times are made once. */
class Times {
  readonly #time: number;
  readonly #end: HrTime;
  readonly #byStart = new Map<number, { startTime: HrTime; endTime: HrTime }>();
  readonly #default: { startTime: HrTime; endTime: HrTime };

  constructor(batch: PointBatch) {
    this.#time = batch.time;
    this.#end = toHrTime(batch.time);
    this.#default = this.#make(batch.startTime);
  }

  of(startTime: number | undefined): { startTime: HrTime; endTime: HrTime } {
    if (startTime === undefined) return this.#default;
    return this.#byStart.get(startTime) ?? this.#make(startTime);
  }

  #make(startTime: number) {
    // What began while the snapshot was taken did not begin after it.
    const began = Math.min(startTime, this.#time);
    const times = { startTime: toHrTime(began), endTime: this.#end };
    this.#byStart.set(startTime, times);
    return times;
  }
}
