import type { OTLPMetricExporterBase } from '@opentelemetry/exporter-metrics-otlp-http';
import { emptyResource } from '@opentelemetry/resources';
import {
  type CollectionResult,
  type MetricData,
  type MetricProducer,
  MetricReader,
  type ResourceMetrics,
  type ScopeMetrics,
} from '@opentelemetry/sdk-metrics';

/** Hands the SDK what the kernel aggregated; the resource is the SDK's (it ignores this one's). */
export class SnapshotProducer implements MetricProducer {
  readonly #read: () => ScopeMetrics[];

  constructor(read: () => ScopeMetrics[]) {
    this.#read = read;
  }

  collect(): Promise<CollectionResult> {
    const resourceMetrics = { resource: emptyResource(), scopeMetrics: this.#read() };
    return Promise.resolve({ resourceMetrics, errors: [] });
  }
}

/** Reads and exports when it is told to: after a collection, so that no point is sent twice. */
export class PushReader extends MetricReader {
  readonly #exporter: OTLPMetricExporterBase;
  readonly #maxPoints: number;

  constructor(producer: MetricProducer, exporter: OTLPMetricExporterBase, maxPoints: number) {
    super({ metricProducers: [producer], otelComponentType: 'mem-watcher.push_reader' });
    this.#exporter = exporter;
    this.#maxPoints = maxPoints;
  }

  /** Resolves once the points are the exporter's. */
  async export(): Promise<void> {
    const { resourceMetrics } = await this.collect();
    for (const request of split(resourceMetrics, this.#maxPoints)) {
      this.#exporter.export(request, () => undefined);
    }
  }

  protected async onForceFlush(): Promise<void> {
    await this.#exporter.forceFlush();
  }

  protected async onShutdown(): Promise<void> {
    await this.#exporter.shutdown();
  }
}

export function countPoints({ scopeMetrics }: ResourceMetrics): number {
  let points = 0;
  for (const { metrics } of scopeMetrics) {
    for (const { dataPoints } of metrics) points += dataPoints.length;
  }
  return points;
}

/** Requests of at most `maxPoints` each; a metric with more goes on in the next. */
export function split(all: ResourceMetrics, maxPoints: number): ResourceMetrics[] {
  const total = countPoints(all);
  if (total === 0) return [];
  if (total <= maxPoints) return [all];
  const requests: { resource: ResourceMetrics['resource']; scopeMetrics: ScopeMetrics[] }[] = [];
  let room = 0;
  for (const { scope, metrics } of all.scopeMetrics) {
    let current: ScopeMetrics | undefined;
    for (const metric of metrics) {
      for (let from = 0; from < metric.dataPoints.length; ) {
        if (room === 0) {
          requests.push({ resource: all.resource, scopeMetrics: [] });
          room = maxPoints;
          current = undefined;
        }
        if (!current) {
          current = { scope, metrics: [] };
          requests.at(-1)?.scopeMetrics.push(current);
        }
        const dataPoints = metric.dataPoints.slice(from, from + room);
        current.metrics.push({ ...metric, dataPoints } as MetricData);
        from += dataPoints.length;
        room -= dataPoints.length;
      }
    }
  }
  return requests;
}
