/**
 * Cumulative → delta, for endpoints that take nothing else. Only counters and histograms change;
 * gauges and up-down counters go through.
 *
 * A series is identified by its metric and attributes. Its first point is sent whole only if nobody
 * can have sent any of it before: the counter began after our last look. An older one (a process
 * that was there before, or that comes back among the top N) only sets the mark for the next point.
 *
 * A start time that moves is a reset only if the new one is later than our last look: at that moment
 * the old counter was still counting, so an earlier one is the same counter, measured anew.
 *
 * Series with a start time of their own (a process) are forgotten once they vanish. Those as old as
 * their plugin stay, since a cgroup or an order may come back, until `maxSeries` is reached: then
 * those that have been absent longest make room, and only set the mark if they do come back.
 */
import type { HistogramPoint, MetricPoints, PointBatch, ScalarPoint } from './points.js';
import { SeriesTable } from './series-table.js';
import { type Point, seriesKey, subtract, withoutExtremes } from './subtract.js';

export interface DeltaOptions {
  /** Unix ms, steady: counters that began later were never sent by anyone. */
  readonly createdAt: number;
  /** Series remembered of each plugin, over all of its metrics. */
  readonly maxSeries?: number;
}

/**
 * Why a point was not converted. `series_limit`: there was no room to remember its series, or the
 * series made room for others and came back; `out_of_order`: a later snapshot was converted before.
 */
export const DELTA_DROPS = ['series_limit', 'out_of_order'] as const;
export type DeltaDrop = (typeof DELTA_DROPS)[number];

/** What the converter holds of one plugin. */
export interface DeltaState {
  readonly plugin: string;
  /** Series remembered now. */
  readonly series: number;
  /** Points. */
  readonly dropped: Readonly<Record<DeltaDrop, number>>;
}

interface PluginState {
  readonly plugin: string;
  startTime: number;
  /** `PointBatch.steadyTime` of the last batch. */
  lookedAt: number;
  converted: boolean;
  table: SeriesTable;
  readonly dropped: Record<DeltaDrop, number>;
}

const MAX_SERIES = 100_000;

export class DeltaConverter {
  #createdAt: number;
  readonly #maxSeries: number;
  readonly #plugins = new Map<string, PluginState>();

  constructor({ createdAt, maxSeries = MAX_SERIES }: DeltaOptions) {
    this.#createdAt = createdAt;
    this.#maxSeries = maxSeries;
  }

  get states(): readonly DeltaState[] {
    return [...this.#plugins.values()].map(({ plugin, table, dropped }) => ({
      plugin,
      series: table.size,
      dropped,
    }));
  }

  /**
   * After a reload: `plugins` publish from now on, and series of others are forgotten. If nothing was
   * converted yet, another converter has sent what began before `since`.
   */
  takeOver(plugins: readonly string[], since: number): void {
    if (this.#plugins.size === 0) this.#createdAt = since;
    for (const state of this.#plugins.values()) {
      if (!plugins.includes(state.plugin)) state.table = new SeriesTable(this.#maxSeries);
    }
  }

  convert(batch: PointBatch): PointBatch {
    const state = this.#stateOf(batch);
    if (state.converted && batch.steadyTime < state.lookedAt) {
      state.dropped.out_of_order += pointsIn(batch.metrics);
      return { ...batch, metrics: [] };
    }
    state.converted = true;
    this.#beginAnew(batch, state);
    state.table.begin();
    const metrics = batch.metrics.map((metric) => this.#convertMetric(metric, batch, state));
    state.table.remove(({ began }, isAbsent) => isAbsent && began !== batch.startTime);
    state.lookedAt = batch.steadyTime;
    return { ...batch, metrics: metrics.filter((metric) => pointsIn([metric]) > 0) };
  }

  #convertMetric(metric: MetricPoints, batch: PointBatch, state: PluginState): MetricPoints {
    const { kind } = metric.spec;
    if (kind === 'gauge' || kind === 'updowncounter') return metric;
    const scalars: ScalarPoint[] = [];
    const histograms: HistogramPoint[] = [];
    for (const point of metric.scalars) {
      const delta = this.#advance(metric, point, batch, state);
      if (delta) scalars.push(delta);
    }
    for (const point of metric.histograms) {
      const delta = this.#advance(metric, point, batch, state);
      if (delta) histograms.push(delta);
    }
    return { ...metric, scalars, histograms };
  }

  #advance<P extends Point>(
    metric: MetricPoints,
    point: P,
    batch: PointBatch,
    state: PluginState,
  ): P | undefined {
    const key = seriesKey(metric, point);
    const began = point.startTime ?? batch.startTime;
    const series = state.table.find(metric.name, key);
    if (!series) return this.#begin(metric.name, key, point, began, batch, state);
    const { point: before, time, lookedAt } = series;
    const isReset = began !== series.began && began >= lookedAt;
    series.point = point;
    series.time = batch.time;
    series.lookedAt = batch.steadyTime;
    if (isReset) {
      series.began = began;
      return withoutExtremes(point, began);
    }
    // A counter that fell was reset without a new start time: it counted since our last look.
    return { ...(subtract(point, before as P) ?? withoutExtremes(point, time)), startTime: time };
  }

  #begin<P extends Point>(
    metric: string,
    key: string,
    point: P,
    began: number,
    batch: PointBatch,
    state: PluginState,
  ): P | undefined {
    if (
      !state.table.add(metric, key, {
        point,
        began,
        time: batch.time,
        lookedAt: batch.steadyTime,
      })
    ) {
      state.dropped.series_limit++;
      return undefined;
    }
    if (began !== batch.startTime) {
      return began >= state.lookedAt ? { ...point, startTime: began } : undefined;
    }
    if (state.table.mayBeForgotten(metric, key)) {
      state.dropped.series_limit++;
      return undefined;
    }
    return began >= this.#createdAt ? { ...point, startTime: began } : undefined;
  }

  #stateOf({ plugin, startTime }: PointBatch): PluginState {
    let state = this.#plugins.get(plugin);
    if (!state) {
      state = {
        plugin,
        startTime,
        lookedAt: this.#createdAt,
        converted: false,
        table: new SeriesTable(this.#maxSeries),
        dropped: { series_limit: 0, out_of_order: 0 },
      };
      this.#plugins.set(plugin, state);
    }
    return state;
  }

  /** If the plugin started again, then so did those of its series that are as old as it was. */
  #beginAnew({ startTime }: PointBatch, state: PluginState): void {
    const { startTime: before } = state;
    if (before === startTime) return;
    state.startTime = startTime;
    state.table.remove(({ began }) => began === before);
  }
}

const pointsIn = (metrics: readonly MetricPoints[]): number =>
  metrics.reduce((sum, { scalars, histograms }) => sum + scalars.length + histograms.length, 0);
