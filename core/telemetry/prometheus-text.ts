/**
 * A collection as Prometheus' text format, version 0.0.4. Pure. Names as OpenTelemetry's
 * compatibility document has them, without unit suffixes: dots become underscores, counters end in
 * `_total`, the scope is two labels, the resource is `target_info`.
 */
import type { Attributes } from '@opentelemetry/api';
import {
  type DataPoint,
  DataPointType,
  type ExponentialHistogram,
  type MetricData,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';

/** All samples of one name: the format wants them together. */
interface Family {
  readonly type: string;
  readonly lines: string[];
}

export function prometheusText({ resource, scopeMetrics }: ResourceMetrics): string {
  const families = new Map<string, Family>();
  const target = `target_info{${labelsOf(resource.attributes)}} 1`;
  const help = '# HELP target_info Target metadata\n# TYPE target_info gauge';
  families.set('target_info', { type: 'gauge', lines: [help, target] });
  for (const { scope, metrics } of scopeMetrics) {
    const scopeLabels = labelsOf({
      'otel.scope.name': scope.name,
      ...(scope.version && { 'otel.scope.version': scope.version }),
    });
    // Points of one process share their attributes, and so their labels.
    const known = new Map<Attributes, string>();
    const labels = (attributes: Attributes): string => {
      const before = known.get(attributes);
      if (before !== undefined) return before;
      const own = labelsOf(attributes);
      const all = own ? `${own},${scopeLabels}` : scopeLabels;
      known.set(attributes, all);
      return all;
    };
    for (const metric of metrics) writeMetric(metric, labels, families);
  }
  return `${[...families.values()].flatMap(({ lines }) => lines).join('\n')}\n`;
}

function writeMetric(
  metric: MetricData,
  labels: (attributes: Attributes) => string,
  families: Map<string, Family>,
): void {
  const { name, type } = nameAndType(metric);
  const family = families.get(name) ?? newFamily(name, type, metric.descriptor.description);
  families.set(name, family);
  if (family.type !== type) {
    family.lines.push(`# ${name} is a ${type} elsewhere: left out`);
    return;
  }
  if (metric.dataPointType === DataPointType.EXPONENTIAL_HISTOGRAM) {
    for (const point of metric.dataPoints) {
      writeHistogram(name, point, labels(point.attributes), family.lines);
    }
  } else if (metric.dataPointType !== DataPointType.HISTOGRAM) {
    for (const { attributes, value } of metric.dataPoints) {
      family.lines.push(`${name}{${labels(attributes)}} ${value}`);
    }
  }
}

/**
 * Bucket i of scale 0 is (2^i, 2^(i+1)], so its upper bound is a power of two; zeros have a bucket
 * of their own below them all, `le="0"`.
 */
function writeHistogram(
  name: string,
  { value }: DataPoint<ExponentialHistogram>,
  labels: string,
  lines: string[],
): void {
  const { count, sum, zeroCount, positive } = value;
  let below = zeroCount;
  lines.push(`${name}_bucket{${labels},le="0"} ${below}`);
  for (const [i, bucket] of positive.bucketCounts.entries()) {
    below += bucket;
    lines.push(`${name}_bucket{${labels},le="${2 ** (positive.offset + i + 1)}"} ${below}`);
  }
  lines.push(`${name}_bucket{${labels},le="+Inf"} ${count}`);
  if (sum !== undefined) lines.push(`${name}_sum{${labels}} ${sum}`);
  lines.push(`${name}_count{${labels}} ${count}`);
}

function newFamily(name: string, type: string, description: string): Family {
  const help = description.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return { type, lines: [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`] };
}

function nameAndType(metric: MetricData): { name: string; type: string } {
  const name = sanitize(metric.descriptor.name);
  if (metric.dataPointType === DataPointType.EXPONENTIAL_HISTOGRAM) {
    return { name, type: 'histogram' };
  }
  const counter = metric.dataPointType === DataPointType.SUM && metric.isMonotonic;
  if (!counter) return { name, type: 'gauge' };
  return { name: name.endsWith('_total') ? name : `${name}_total`, type: 'counter' };
}

function labelsOf(attributes: Attributes): string {
  return Object.entries(attributes)
    .map(([key, value]) => `${sanitize(key)}="${escapeValue(String(value))}"`)
    .join(',');
}

const escapeValue = (value: string) =>
  /[\\"\n]/.test(value)
    ? value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
    : value;

const sanitized = new Map<string, string>();
/** Names come from metadata and are few. */
const MAX_SANITIZED = 10_000;

function sanitize(name: string): string {
  const known = sanitized.get(name);
  if (known !== undefined) return known;
  const clean = name.replace(/[^a-zA-Z0-9_]+/g, '_').replace(/^(?=\d)/, '_');
  if (sanitized.size < MAX_SANITIZED) sanitized.set(name, clean);
  return clean;
}
