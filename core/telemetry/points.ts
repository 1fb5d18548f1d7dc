/**
 * Points on their way from a plugin to the exporters, already aggregated: the kernel did it.
 *
 * One collection makes one `PointBatch` a plugin: an array a metric, pushed to in place, so that
 * ten thousand points cost ten thousand small objects and nothing else.
 */

import type {
  HistogramMetric,
  Metadata,
  MetricAttributes,
  MetricSpec,
  ScalarMetric,
} from '../metadata.js';
import type { SpanIds } from './events.js';

export type AttributeValue = string | number | boolean | readonly string[] | readonly number[];
export type PointAttributes = Readonly<Record<string, AttributeValue | undefined>>;

export interface ScalarPoint {
  readonly attributes: PointAttributes;
  /** In the metric's unit. Counters are cumulative since `PointBatch.startTime`. */
  readonly value: number;
  /** When this series began, Unix ms; the batch's `startTime` unless set. */
  readonly startTime?: number;
  /** Who counts: the plugin's instance unless set. */
  readonly countedBy?: CountedBy;
}

/**
 * `kernel`: the kernel keeps this counter whether or not a plugin runs, such as the page faults of a
 * process. Every instance of the plugin reads the same value. `instance`: it counts what this
 * instance of the plugin has seen, so two instances that run side by side count the same things.
 */
export type CountedBy = 'instance' | 'kernel';

/**
 * A histogram of powers of two as the kernel keeps it. `buckets[i]` counts values in
 * (2^(i+offset), 2^(i+offset+1)] of the metric's unit: an OpenTelemetry exponential histogram of
 * scale 0 as it stands.
 */
export interface HistogramPoint {
  readonly attributes: PointAttributes;
  readonly count: number;
  readonly sum: number;
  readonly min?: number;
  readonly max?: number;
  readonly zeroCount: number;
  readonly offset: number;
  readonly buckets: readonly number[];
  /** Values that can be looked at one by one, newest first; few. */
  readonly exemplars?: readonly Exemplar[];
  readonly startTime?: number;
}

/** One value of a histogram, and the span that tells its story. */
export interface Exemplar {
  /** In the metric's unit. */
  readonly value: number;
  /** Unix ms, fractions allowed. */
  readonly time: number;
  readonly span: SpanIds;
}

/** All points of one metric in one collection. */
export interface MetricPoints {
  readonly name: string;
  readonly spec: MetricSpec;
  readonly scalars: ScalarPoint[];
  readonly histograms: HistogramPoint[];
}

/** All points of one plugin in one collection: one consistent snapshot. */
export interface PointBatch {
  readonly plugin: string;
  /** When the snapshot was taken, Unix ms. */
  readonly time: number;
  /** When the plugin's counters began, Unix ms by the steady clock, as all starts are. */
  readonly startTime: number;
  /**
   * When it was taken by the clock that nobody sets (`steadyNow`), Unix ms: comparable with starts, and
   * growing from snapshot to snapshot, over reloads too.
   */
  readonly steadyTime: number;
  /** Metrics in the order of the metadata; those that are off, or have no point, are absent. */
  readonly metrics: readonly MetricPoints[];
}

/** Where a plugin's `report` puts its points; names and attributes are checked by the compiler. */
export interface PointWriter<M extends Metadata = Metadata> {
  /** `undefined` is "this kernel does not say": no point is made. */
  point<N extends ScalarMetric<M>>(
    name: N,
    value: number | undefined,
    attributes: MetricAttributes<M, N>,
    startTime?: number,
    countedBy?: CountedBy,
  ): void;
  histogram<N extends HistogramMetric<M>>(
    name: N,
    point: Omit<HistogramPoint, 'attributes'>,
    attributes: MetricAttributes<M, N>,
  ): void;
}

/** Gathers one collection of one plugin. `enabled` says which metrics are on. */
export class PointBatchBuilder implements PointWriter {
  readonly #metrics = new Map<string, MetricPoints>();

  constructor(
    readonly metadata: Metadata,
    enabled: (metric: string, spec: MetricSpec) => boolean = (_, spec) => spec.enabled !== false,
  ) {
    for (const [name, spec] of Object.entries(metadata.metrics)) {
      if (enabled(name, spec)) {
        this.#metrics.set(name, { name, spec, scalars: [], histograms: [] });
      }
    }
  }

  point(
    name: string,
    value: number | undefined,
    attributes: PointAttributes,
    startTime?: number,
    countedBy: CountedBy = 'instance',
  ): void {
    if (value === undefined) return;
    this.#metrics.get(name)?.scalars.push({
      attributes,
      value,
      ...(startTime !== undefined && { startTime }),
      ...(countedBy === 'kernel' && { countedBy }),
    });
  }

  histogram(
    name: string,
    point: Omit<HistogramPoint, 'attributes'>,
    attributes: PointAttributes,
  ): void {
    this.#metrics.get(name)?.histograms.push({ ...point, attributes });
  }

  build(time: number, startTime: number, steadyTime = time): PointBatch {
    const metrics = [...this.#metrics.values()].filter(
      (metric) => metric.scalars.length + metric.histograms.length > 0,
    );
    return { plugin: this.metadata.name, time, startTime, steadyTime, metrics };
  }
}
