/**
 * Metrics as OTLP JSON. The SDK writes them, but knows no exemplars: they are added to what it
 * wrote, point by point in the same order, where a request has any.
 */
import { ValueType } from '@opentelemetry/api';
import { type ISerializer, JsonMetricsSerializer } from '@opentelemetry/otlp-transformer';
import { DataPointType, type MetricData, type ResourceMetrics } from '@opentelemetry/sdk-metrics';
import { exemplarsOf, toHrTime } from './metric-data.js';
import type { PartialSuccess } from './otlp-exporter.js';
import type { Exemplar } from './points.js';

export const metricsJson: ISerializer<ResourceMetrics, PartialSuccess> = {
  serializeRequest(metrics) {
    const bytes = JsonMetricsSerializer.serializeRequest(metrics);
    return bytes && hasExemplars(metrics) ? withExemplars(bytes, metrics) : bytes;
  },
  deserializeResponse: (data) => JsonMetricsSerializer.deserializeResponse(data),
};

/** What is read of the SDK's request; opentelemetry/proto/collector/metrics/v1. */
interface RequestJson {
  readonly resourceMetrics: readonly {
    readonly scopeMetrics: readonly {
      readonly metrics: readonly {
        readonly exponentialHistogram?: { readonly dataPoints: { exemplars?: unknown }[] };
      }[];
    }[];
  }[];
}

function hasExemplars({ scopeMetrics }: ResourceMetrics): boolean {
  return scopeMetrics.some(({ metrics }) =>
    metrics.some(
      ({ dataPointType, dataPoints }) =>
        dataPointType === DataPointType.EXPONENTIAL_HISTOGRAM &&
        dataPoints.some((point) => exemplarsOf(point).length > 0),
    ),
  );
}

function withExemplars(bytes: Uint8Array, { scopeMetrics }: ResourceMetrics): Uint8Array {
  const request = JSON.parse(Buffer.from(bytes).toString()) as RequestJson;
  const written = request.resourceMetrics[0]?.scopeMetrics ?? [];
  for (const [s, { metrics }] of scopeMetrics.entries()) {
    for (const [m, metric] of metrics.entries()) {
      const points = written[s]?.metrics[m]?.exponentialHistogram?.dataPoints ?? [];
      for (const [p, point] of points.entries()) {
        const exemplars = exemplarsOf(metric.dataPoints[p] as MetricData['dataPoints'][number]);
        if (exemplars.length === 0) continue;
        point.exemplars = exemplars.map((exemplar) => exemplarJson(exemplar, metric));
      }
    }
  }
  return Buffer.from(JSON.stringify(request));
}

/** Ids are hex digits in OTLP's JSON, and 64-bit numbers are text. */
function exemplarJson({ value, time, span }: Exemplar, { descriptor }: MetricData) {
  const [seconds, nanoseconds] = toHrTime(time);
  const whole = descriptor.valueType === ValueType.INT && Number.isSafeInteger(value);
  return {
    timeUnixNano: String(BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds)),
    ...(whole ? { asInt: String(value) } : { asDouble: value }),
    spanId: span.spanId,
    traceId: span.traceId,
  };
}
