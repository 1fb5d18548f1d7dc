import { OTLPMetricExporterBase } from '@opentelemetry/exporter-metrics-otlp-http';
import { AggregationTemporality } from '@opentelemetry/sdk-metrics';
import type { Clock } from './clock.js';
import { DeltaConverter } from './delta.js';
import { metricsEncoding } from './encodings.js';
import { PushReader, SnapshotProducer } from './metric-reader.js';
import { type DelegateContext, SpoolDelegate } from './otlp-exporter.js';
import type { ExporterOutcome } from './outcome.js';
import type { SignalSettings } from './settings.js';
import { Snapshot } from './snapshot.js';

/** A collection that comes this share of an interval too early still counts as on time. */
const TOLERANCE = 0.05;

/** Metrics to one endpoint: in its temporality, at its interval. */
export class MetricsExporter {
  readonly delegate;
  readonly reader: PushReader;
  readonly #settings: SignalSettings;
  readonly #clock: Clock;
  readonly #converter: DeltaConverter;
  #snapshot: Snapshot;
  #exported = true;
  #dueAt = 0;

  constructor(settings: SignalSettings, context: DelegateContext) {
    const { clock, version } = context;
    this.#settings = settings;
    this.#clock = clock;
    this.#snapshot = new Snapshot([], version);
    this.delegate = new SpoolDelegate(settings, metricsEncoding(settings.protocol), context);
    const delta = settings.temporality === 'delta';
    const temporalityPreference = delta
      ? AggregationTemporality.DELTA
      : AggregationTemporality.CUMULATIVE;
    this.#converter = new DeltaConverter({ createdAt: clock.now() });
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
    return { ...outcome, dropped: dropped + this.#converter.overflowed };
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
  }
}
