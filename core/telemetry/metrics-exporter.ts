import { OTLPMetricExporterBase } from '@opentelemetry/exporter-metrics-otlp-http';
import { AggregationTemporality } from '@opentelemetry/sdk-metrics';
import type { Logger } from '../logger.js';
import type { Clock } from './clock.js';
import { DELTA_DROPS, DeltaConverter, type DeltaDrop } from './delta.js';
import { metricsEncoding } from './encodings.js';
import { PushReader, SnapshotProducer } from './metric-reader.js';
import { type DelegateContext, SpoolDelegate } from './otlp-exporter.js';
import type { ExporterOutcome } from './outcome.js';
import type { SignalSettings } from './settings.js';
import { Snapshot } from './snapshot.js';

/** A collection that comes this share of an interval too early still counts as on time. */
const TOLERANCE = 0.05;

const DROP_REASONS: Readonly<Record<DeltaDrop, string>> = {
  series_limit: 'its series have reached the limit',
  out_of_order: 'a later collection was converted before',
};

/** Metrics to one endpoint: in its temporality, at its interval. */
export class MetricsExporter {
  readonly delegate;
  readonly reader: PushReader;
  readonly #settings: SignalSettings;
  readonly #clock: Clock;
  readonly #converter: DeltaConverter;
  readonly #logger: Logger;
  /** Plugins and reasons that the log has named. */
  readonly #logged = new Set<string>();
  #snapshot: Snapshot;
  #exported = true;
  #dueAt = 0;

  constructor(settings: SignalSettings, context: DelegateContext) {
    const { clock, version, logger } = context;
    this.#settings = settings;
    this.#clock = clock;
    this.#logger = logger;
    this.#snapshot = new Snapshot([], version);
    this.delegate = new SpoolDelegate(settings, metricsEncoding(settings.protocol), context);
    const delta = settings.temporality === 'delta';
    const temporalityPreference = delta
      ? AggregationTemporality.DELTA
      : AggregationTemporality.CUMULATIVE;
    this.#converter = new DeltaConverter({ createdAt: clock.steady() });
    this.reader = new PushReader(
      new SnapshotProducer(() =>
        delta ? this.#snapshot.delta(this.#converter) : this.#snapshot.cumulative(),
      ),
      new OTLPMetricExporterBase(this.delegate, { temporalityPreference }),
      settings.maxRequestPoints,
    );
  }

  get outcome(): ExporterOutcome {
    const { dropped, ...outcome } = this.delegate.outcome;
    if (this.#settings.temporality !== 'delta') return { ...outcome, dropped };
    const delta = this.#converter.states;
    const unconverted = delta.flatMap((state) => Object.values(state.dropped));
    return { ...outcome, dropped: unconverted.reduce((sum, n) => sum + n, dropped), delta };
  }

  takeOver(scopes: readonly string[], since: number): void {
    this.#converter.takeOver(scopes, since);
  }

  /** Exports the snapshot if it is time; else it waits for the next or for `exportPending`. */
  async offer(snapshot: Snapshot): Promise<void> {
    const { interval } = this.#settings;
    const now = this.#clock.now();
    this.#snapshot = snapshot;
    this.#exported = false;
    // Due in more than an interval: the clock was set back, and waiting for it would be silence.
    if (this.#dueAt > now + interval) this.#dueAt = now;
    if (now < this.#dueAt - TOLERANCE * interval) return;
    this.#dueAt = this.#dueAt + interval > now ? this.#dueAt + interval : now + interval;
    await this.exportPending();
  }

  /** Exports the latest snapshot unless it was. */
  async exportPending(): Promise<void> {
    if (this.#exported) return;
    this.#exported = true;
    await this.reader.export();
    this.#logDrops();
  }

  /** Once a plugin and reason: the metrics have the counts. */
  #logDrops(): void {
    const { exporter } = this.#settings;
    for (const { plugin, series, dropped } of this.#converter.states) {
      for (const reason of DELTA_DROPS) {
        const key = `${plugin} ${reason}`;
        if (dropped[reason] === 0 || this.#logged.has(key)) continue;
        this.#logged.add(key);
        this.#logger.warn(
          { plugin, series, dropped: dropped[reason] },
          `points of ${plugin} dropped from the delta export to ${exporter}: ${DROP_REASONS[reason]}`,
        );
      }
    }
  }
}
