/** A collection as Prometheus' text format. Pure. */
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import {
  type DataPoint,
  DataPointType,
  type ExponentialHistogram,
  type Histogram,
  type MetricData,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';

/** The text format has no exponential histograms, and the serializer leaves them out. */
export function prometheusText({ resource, scopeMetrics }: ResourceMetrics): string {
  const classic = scopeMetrics.map(({ scope, metrics }) => ({
    scope,
    metrics: metrics.map(toClassic),
  }));
  return new PrometheusSerializer().serialize({ resource, scopeMetrics: classic });
}

function toClassic(metric: MetricData): MetricData {
  if (metric.dataPointType !== DataPointType.EXPONENTIAL_HISTOGRAM) return metric;
  const { descriptor, aggregationTemporality, dataPoints } = metric;
  return {
    descriptor,
    aggregationTemporality,
    dataPointType: DataPointType.HISTOGRAM,
    dataPoints: dataPoints.map(toClassicPoint),
  };
}

/**
 * Bucket i of scale 0 is (2^i, 2^(i+1)], so its upper bound is a power of two. A count of zeros goes
 * to a bucket of its own, `le="0"`. Equal bounds over all points are not needed: `le` is a label.
 */
function toClassicPoint(point: DataPoint<ExponentialHistogram>): DataPoint<Histogram> {
  const { count, sum, zeroCount, positive } = point.value;
  const boundaries = [0, ...positive.bucketCounts.map((_, i) => 2 ** (positive.offset + i + 1))];
  const counts = [zeroCount, ...positive.bucketCounts, 0];
  return {
    ...point,
    value: { count, ...(sum !== undefined && { sum }), buckets: { boundaries, counts } },
  };
}
