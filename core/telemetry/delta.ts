/**
 * Cumulative → delta, for endpoints that take nothing else. Only counters and histograms change;
 * gauges and up-down counters go through.
 *
 * A series is told apart by its metric and attributes. What its first point becomes depends on
 * whether it can have been sent before: a counter that began under our eyes is sent whole; one that
 * is older than our last look (a process that was there before, or that comes back among the top N)
 * only sets the mark for the next.
 *
 * Series that began by themselves (a process) are forgotten once they vanish; those as old as their
 * plugin stay, since a cgroup or an order may come back, and are bounded by `maxSeries`.
 */
import type { Exemplar, HistogramPoint, MetricPoints, PointBatch, ScalarPoint } from './points.js';

export interface DeltaOptions {
  /** Unix ms: counters that began later were never sent by anyone. */
  readonly createdAt: number;
  /** Series remembered over all metrics. */
  readonly maxSeries?: number;
}

type Point = ScalarPoint | HistogramPoint;

interface Series<P extends Point> {
  point: P;
  /** When the counter began, Unix ms. */
  began: number;
  /** When `point` was taken, Unix ms. */
  time: number;
}

interface PluginState {
  readonly startTime: number;
  /** When this plugin's last batch was taken, Unix ms. */
  time: number;
  readonly metrics: Map<string, Map<string, Series<Point>>>;
}

const MAX_SERIES = 100_000;

export class DeltaConverter {
  readonly #createdAt: number;
  readonly #maxSeries: number;
  readonly #plugins = new Map<string, PluginState>();
  #series = 0;
  #overflowed = 0;

  constructor({ createdAt, maxSeries = MAX_SERIES }: DeltaOptions) {
    this.#createdAt = createdAt;
    this.#maxSeries = maxSeries;
  }

  /** Series remembered now. */
  get series(): number {
    return this.#series;
  }

  /** Points that were not converted because `maxSeries` was reached. */
  get overflowed(): number {
    return this.#overflowed;
  }

  convert(batch: PointBatch): PointBatch {
    const state = this.#stateOf(batch);
    const metrics = batch.metrics.map((metric) => this.#convertMetric(metric, batch, state));
    state.time = batch.time;
    return {
      ...batch,
      metrics: metrics.filter(({ scalars, histograms }) => scalars.length + histograms.length > 0),
    };
  }

  #convertMetric(metric: MetricPoints, batch: PointBatch, state: PluginState): MetricPoints {
    const { kind } = metric.spec;
    if (kind === 'gauge' || kind === 'updowncounter') return metric;
    const known = state.metrics.get(metric.name) ?? new Map<string, Series<Point>>();
    state.metrics.set(metric.name, known);
    const scalars: ScalarPoint[] = [];
    const histograms: HistogramPoint[] = [];
    for (const point of metric.scalars) {
      const delta = this.#advance(known, metric, point, batch, state, subtractScalar);
      if (delta) scalars.push(delta);
    }
    for (const point of metric.histograms) {
      const delta = this.#advance(known, metric, point, batch, state, subtractHistogram);
      if (delta) histograms.push(delta);
    }
    this.#forgetVanished(known, batch);
    return { ...metric, scalars, histograms };
  }

  #advance<P extends Point>(
    known: Map<string, Series<Point>>,
    metric: MetricPoints,
    point: P,
    batch: PointBatch,
    state: PluginState,
    subtract: (now: P, before: P) => P | undefined,
  ): P | undefined {
    const key = seriesKey(metric, point);
    const began = point.startTime ?? batch.startTime;
    const series = known.get(key) as Series<P> | undefined;
    if (!series) return this.#begin(known, key, point, began, batch, state);
    const { point: before, began: beganBefore, time } = series;
    series.point = point;
    series.began = began;
    series.time = batch.time;
    if (began !== beganBefore) return withoutExtremes(point, Math.max(began, time));
    // A counter that fell was reset without saying so: what it shows came since our last look.
    return { ...(subtract(point, before) ?? withoutExtremes(point, time)), startTime: time };
  }

  #begin<P extends Point>(
    known: Map<string, Series<Point>>,
    key: string,
    point: P,
    began: number,
    batch: PointBatch,
    state: PluginState,
  ): P | undefined {
    if (this.#series >= this.#maxSeries) {
      this.#overflowed++;
      return undefined;
    }
    this.#series++;
    known.set(key, { point, began, time: batch.time });
    const neverSentSince = began === batch.startTime ? this.#createdAt : state.time;
    return began >= neverSentSince ? { ...point, startTime: began } : undefined;
  }

  #forgetVanished(known: Map<string, Series<Point>>, batch: PointBatch): void {
    for (const [key, series] of known) {
      if (series.time === batch.time || series.began === batch.startTime) continue;
      known.delete(key);
      this.#series--;
    }
  }

  #stateOf(batch: PointBatch): PluginState {
    const known = this.#plugins.get(batch.plugin);
    if (known?.startTime === batch.startTime) return known;
    if (known) this.#forgetPlugin(known);
    const { startTime } = batch;
    const { time = this.#createdAt, metrics = new Map() } = known ?? {};
    const state = { startTime, time, metrics };
    this.#plugins.set(batch.plugin, state);
    return state;
  }

  /** The plugin started again, and with it those of its series that are as old as it was. */
  #forgetPlugin({ startTime, metrics }: PluginState): void {
    for (const known of metrics.values()) {
      for (const [key, { began }] of known) {
        if (began !== startTime) continue;
        known.delete(key);
        this.#series--;
      }
    }
  }
}

/** Values in the order of the metadata, so that the order in which they were set does not matter. */
function seriesKey({ spec }: MetricPoints, { attributes }: Point): string {
  let key = '';
  for (const name of spec.attributes) key += `${attributes[name]}\0`;
  return key;
}

function subtractScalar(now: ScalarPoint, before: ScalarPoint): ScalarPoint | undefined {
  const value = now.value - before.value;
  return value < 0 ? undefined : { ...now, value };
}

function subtractHistogram(now: HistogramPoint, before: HistogramPoint) {
  const offset = Math.min(now.offset, before.offset);
  const end = Math.max(now.offset + now.buckets.length, before.offset + before.buckets.length);
  const at = (point: HistogramPoint, bucket: number) => point.buckets[bucket - point.offset] ?? 0;
  const buckets = Array.from(
    { length: end - offset },
    (_, i) => at(now, offset + i) - at(before, offset + i),
  );
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

/** The smallest and largest value since the beginning say nothing about an interval. */
function withoutExtremes<P extends Point>(point: P, startTime = point.startTime): P {
  const { min: _min, max: _max, ...rest } = point as HistogramPoint;
  return { ...rest, startTime } as unknown as P;
}
