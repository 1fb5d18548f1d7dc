/**
 * Where everything that the plugins say goes: OTLP endpoints, and a port for Prometheus.
 *
 * Metrics: a collection is published as batches of points, which are already aggregated; each
 * exporter's reader takes them through a `MetricProducer`, as cumulative or delta. Events and spans
 * wait a second for company. Requests are encoded once and wait in a bounded spool until the
 * endpoint answers; what became of each point is counted there (outcome.ts).
 *
 * Nothing here blocks or throws after `createTelemetry`: a failing endpoint is a state.
 */
import { OTLPExporterBase } from '@opentelemetry/otlp-exporter-base';
import type { Resource } from '@opentelemetry/resources';
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import type { ExportersConfig } from '../config/schema.js';
import { describeError, MemWatcherError } from '../errors.js';
import type { Logger } from '../logger.js';
import type { Closable } from '../scope.js';
import { type Clock, systemClock } from './clock.js';
import { logsEncoding, tracesEncoding } from './encodings.js';
import type { EventRecord, SpanRecord } from './events.js';
import { SnapshotProducer } from './metric-reader.js';
import { MetricsExporter } from './metrics-exporter.js';
import { type DelegateContext, SpoolDelegate } from './otlp-exporter.js';
import type { ExporterOutcome, Signal } from './outcome.js';
import type { PointBatch } from './points.js';
import { ScrapeEndpoint, ScrapeReader } from './prometheus.js';
import { RecordQueue } from './record-queue.js';
import { RecordMaker } from './records.js';
import { type Environment, type ExporterSettings, resolveExporters } from './settings.js';
import { Snapshot } from './snapshot.js';

export interface TelemetryOptions {
  readonly config: ExportersConfig;
  readonly resource: Resource;
  /** Of mem-watcher: the version of every instrumentation scope. */
  readonly version: string;
  readonly logger: Logger;
  /** Default `process.env`. */
  readonly env?: Environment;
  readonly clock?: Clock;
  /**
   * On a reload: its Prometheus port is shared if host and port are the same. Whichever of the two
   * is closed, the other goes on answering.
   */
  readonly previous?: Telemetry | undefined;
}

/** Of a flush's deadline, what is used. */
const FLUSH_SHARE = 0.95;

/** CONFIG_INVALID, or EXPORT_FAILED if the Prometheus port cannot be had. */
export async function createTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { config, env = process.env, logger, previous } = options;
  const settings = resolveExporters(config, env);
  for (const warning of settings.warnings) logger.warn({}, warning);
  const { prometheus } = settings;
  if (!prometheus) return new Telemetry(options, settings, undefined);
  const shared = previous?.scrapeEndpoint?.shareFor(prometheus);
  return new Telemetry(options, settings, shared ?? (await ScrapeEndpoint.listen(prometheus)));
}

/** The agent's sink for everything that leaves the host. */
export class Telemetry implements Closable {
  /** Undefined if there is none. */
  readonly scrapeEndpoint: ScrapeEndpoint | undefined;
  readonly #version: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #records: RecordMaker;
  readonly #provider: MeterProvider;
  readonly #metrics: readonly MetricsExporter[];
  readonly #logs: readonly SpoolDelegate<ReadableLogRecord[]>[];
  readonly #traces: readonly SpoolDelegate<ReadableSpan[]>[];
  readonly #logQueue: RecordQueue<ReadableLogRecord>;
  readonly #spanQueue: RecordQueue<ReadableSpan>;
  readonly #scrape: ScrapeReader | undefined;
  #latest: Snapshot;
  #exporting: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  /** Use `createTelemetry`. */
  constructor(
    { resource, version, logger, env = process.env, clock = systemClock }: TelemetryOptions,
    settings: ExporterSettings,
    scrapeEndpoint: ScrapeEndpoint | undefined,
  ) {
    const context: DelegateContext = { version, env, clock, logger };
    const of = (signal: Signal) => settings.signals.filter((each) => each.signal === signal);
    this.scrapeEndpoint = scrapeEndpoint;
    this.#version = version;
    this.#clock = clock;
    this.#logger = logger;
    this.#latest = new Snapshot([], version);
    this.#records = new RecordMaker(resource, version);
    this.#metrics = of('metrics').map((each) => new MetricsExporter(each, context));
    this.#logs = of('logs').map(
      (each) => new SpoolDelegate(each, logsEncoding(each.protocol), context),
    );
    this.#traces = of('traces').map(
      (each) => new SpoolDelegate(each, tracesEncoding(each.protocol), context),
    );
    this.#logQueue = fanOut(this.#logs);
    this.#spanQueue = fanOut(this.#traces);
    const latest = new SnapshotProducer(() => this.#latest.cumulative());
    this.#scrape = scrapeEndpoint && new ScrapeReader(latest, scrapeEndpoint);
    const readers = this.#metrics.map(({ reader }) => reader);
    this.#provider = new MeterProvider({
      resource,
      readers: this.#scrape ? [...readers, this.#scrape] : readers,
    });
  }

  /** Takes one collection, whole: it replaces the one before. Never blocks, never throws. */
  publish(batches: readonly PointBatch[]): void {
    if (this.#closing) return;
    this.#latest = new Snapshot(batches, this.#version);
    this.#scrape?.serve();
    for (const exporter of this.#metrics) {
      const exported = exporter.offer(this.#latest).catch((error: unknown) => {
        this.#logger.error({ error: describeError(error) }, 'a collection could not be exported');
      });
      // Without the results: each would hold the one before, for ever.
      this.#exporting = Promise.all([this.#exporting, exported]).then(() => undefined);
    }
  }

  /** After a reload; `scopes` publish from now on. */
  takeOver(scopes: readonly string[], since: number): void {
    for (const exporter of this.#metrics) exporter.takeOver(scopes, since);
  }

  event(event: EventRecord): void {
    if (this.#closing || this.#logs.length === 0) return;
    this.#logQueue.push(this.#records.logRecord(event, this.#clock.now()));
  }

  span(span: SpanRecord): boolean {
    if (this.#closing || this.#traces.length === 0) return false;
    this.#spanQueue.push(this.#records.span(span));
    return true;
  }

  /** What became of everything so far, by exporter and signal. */
  outcomes(): ExporterOutcome[] {
    const sources = [...this.#metrics, ...this.#logs, ...this.#traces];
    const outcomes = sources.map(({ outcome }) => outcome);
    return this.#scrape ? [...outcomes, this.#scrape.outcome] : outcomes;
  }

  /** Where data goes, for people; URLs without credentials. */
  endpoints(): { readonly exporter: string; readonly signal: Signal; readonly url: string }[] {
    return this.outcomes().map(({ exporter, signal, endpoint }) => {
      return { exporter, signal, url: endpoint };
    });
  }

  /**
   * Sends all that waits. Rejects with EXPORT_FAILED if some still waits shortly before
   * `deadlineMs`, so that the caller's own deadline does not hide why; or sooner if its endpoint
   * was failing before and still does.
   */
  async flush(deadlineMs: number): Promise<void> {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), deadlineMs * FLUSH_SHARE);
    try {
      await Promise.all(this.#metrics.map((exporter) => exporter.exportPending()));
      await this.#exporting;
      this.#logQueue.flush();
      this.#spanQueue.flush();
      await Promise.all(this.#delegates.map((delegate) => delegate.flush(deadline.signal)));
    } finally {
      clearTimeout(timer);
    }
    const waiting = this.outcomes().filter(({ queuedItems }) => queuedItems > 0);
    if (waiting.length === 0) return;
    const told = waiting.map(
      ({ exporter, signal, endpoint, queuedItems, lastError }) =>
        `${queuedItems} items of ${signal} for ${exporter} (${endpoint}): ${lastError}`,
    );
    throw new MemWatcherError('EXPORT_FAILED', `not delivered in time: ${told.join('; ')}`);
  }

  /** Drops, and counts, what still waits: `flush` first. Twice is harmless. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  get #delegates() {
    return [...this.#metrics.map(({ delegate }) => delegate), ...this.#logs, ...this.#traces];
  }

  async #close(): Promise<void> {
    this.#logQueue.flush();
    this.#spanQueue.flush();
    await this.#exporting;
    await this.#provider.shutdown();
    await Promise.all(this.#delegates.map((delegate) => delegate.shutdown()));
  }
}

/** Records gathered for a moment, then given to the SDK's exporter of each endpoint. */
function fanOut<T>(delegates: readonly SpoolDelegate<T[]>[]): RecordQueue<T> {
  const exporters = delegates.map((delegate) => new OTLPExporterBase(delegate));
  return new RecordQueue((records) => {
    for (const exporter of exporters) exporter.export(records, () => undefined);
  });
}
