import type { HistogramPoint, MetricPoints, PointBatch, ScalarPoint } from './points.js';
import { add, type Point, seriesKey, subtract } from './subtract.js';

/** What an instance had counted, and nobody has sent, when another took over from it. */
export interface Unsent {
  /** When its last snapshot that was sent was taken, Unix ms by the steady clock. */
  readonly since: number;
  /** What its counters gained since then. */
  readonly metrics: readonly MetricPoints[];
}

interface Series {
  /** What the successor's counter showed when it took over. */
  readonly before: Point | undefined;
  readonly unsent: Point | undefined;
}

/**
 * What the counters of a plugin already showed when it took over from another instance, which had
 * counted the same things up to then. What is left of them, and what the other had not sent, began at
 * that moment. Counters that the kernel keeps are not the instance's own, and stay as they are.
 */
export class Baseline {
  readonly #metrics = new Map<string, Map<string, Series>>();
  readonly #takenOverAt: number;
  /** Of series that the successor may never have. */
  #unsent: readonly MetricPoints[];

  /** `batch` is of the moment `takenOverAt`, Unix ms. */
  constructor(batch: PointBatch, takenOverAt: number, unsent: readonly MetricPoints[] = []) {
    this.#takenOverAt = takenOverAt;
    this.#unsent = unsent;
    for (const metric of unsent) {
      for (const [key, point] of ownSeries(metric)) {
        this.#of(metric.name).set(key, { before: undefined, unsent: point });
      }
    }
    for (const metric of batch.metrics) {
      for (const [key, before] of ownSeries(metric)) {
        const series = this.#of(metric.name);
        series.set(key, { before, unsent: series.get(key)?.unsent });
      }
    }
  }

  subtractFrom(batch: PointBatch): PointBatch {
    if (this.#metrics.size === 0) return batch;
    const unsent = this.#unsent;
    this.#unsent = [];
    const metrics = batch.metrics.map((metric) => this.#rest(metric));
    return { ...batch, metrics: unsent.length > 0 ? withAbsent(metrics, unsent) : metrics };
  }

  #of(metric: string): Map<string, Series> {
    const known = this.#metrics.get(metric) ?? new Map<string, Series>();
    this.#metrics.set(metric, known);
    return known;
  }

  #rest(metric: MetricPoints): MetricPoints {
    const known = this.#metrics.get(metric.name);
    if (!known) return metric;
    const rest = <P extends Point>(point: P): P => {
      const key = seriesKey(metric, point);
      const series = known.get(key);
      if (!series) return point;
      const { before, unsent } = series;
      const isSame = before?.startTime === point.startTime;
      const difference = before && isSame ? subtract(point, before as P) : undefined;
      if (before && !difference) {
        // It began again, or fell, and so it counts from 0.
        if (!unsent) known.delete(key);
        else known.set(key, { before: undefined, unsent });
      }
      if (!difference && !unsent) return point;
      const own = difference ?? point;
      const began = point.startTime !== undefined && { startTime: this.#takenOverAt };
      return { ...(unsent ? add(own, unsent as P) : own), ...began };
    };
    return {
      ...metric,
      scalars: metric.scalars.map(rest),
      histograms: metric.histograms.map(rest),
    };
  }
}

/** What the counters of an instance gained from one batch to a later one. */
export function gained(before: PointBatch, now: PointBatch): readonly MetricPoints[] {
  const earlier = new Map(before.metrics.map((metric) => [metric.name, ownSeries(metric)]));
  return now.metrics.flatMap((metric) => {
    const known = earlier.get(metric.name);
    const grown: Point[] = [];
    for (const [key, point] of ownSeries(metric)) {
      const last = known?.get(key);
      const gain = (last && subtract(point, last)) ?? point;
      if (('buckets' in gain ? gain.count : gain.value) > 0) grown.push(gain);
    }
    return grown.length > 0 ? [withPoints(metric, grown)] : [];
  });
}

/** Points that the instance itself counts, by key. */
function ownSeries(metric: MetricPoints): Map<string, Point> {
  if (!isCumulative(metric)) return new Map();
  const own = metric.scalars.filter(({ countedBy }) => countedBy !== 'kernel');
  return new Map([...own, ...metric.histograms].map((point) => [seriesKey(metric, point), point]));
}

/** With the points of series that `metrics` lack. */
function withAbsent(
  metrics: readonly MetricPoints[],
  more: readonly MetricPoints[],
): readonly MetricPoints[] {
  const result = new Map(metrics.map((metric) => [metric.name, metric]));
  for (const metric of more) {
    const there = result.get(metric.name) ?? withPoints(metric, []);
    const keys = new Set(
      [...there.scalars, ...there.histograms].map((point) => seriesKey(there, point)),
    );
    const absent = [...metric.scalars, ...metric.histograms].filter(
      (point) => !keys.has(seriesKey(metric, point)),
    );
    const all = [...there.scalars, ...there.histograms, ...absent];
    if (all.length > 0) result.set(metric.name, withPoints(metric, all));
  }
  return [...result.values()];
}

const withPoints = (metric: MetricPoints, points: readonly Point[]): MetricPoints => ({
  ...metric,
  scalars: points.filter((point): point is ScalarPoint => !('buckets' in point)),
  histograms: points.filter((point): point is HistogramPoint => 'buckets' in point),
});

const isCumulative = ({ spec: { kind } }: MetricPoints) =>
  kind === 'counter' || kind === 'histogram';
