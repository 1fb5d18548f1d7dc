/**
 * A collection as Prometheus' text format, version 0.0.4, or as OpenMetrics 1.0, which has exemplars.
 * Pure. Names as OpenTelemetry's compatibility document has them, without unit suffixes: dots become
 * underscores, counters end in `_total`, the scope is two labels, the resource is `target_info`.
 */
import type { Attributes } from '@opentelemetry/api';
import {
  type DataPoint,
  DataPointType,
  type ExponentialHistogram,
  type MetricData,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';
import { exemplarsOf } from './metric-data.js';
import type { Exemplar } from './points.js';

export type TextFormat = 'prometheus' | 'openmetrics';

/** All samples of one name: the format wants them together. */
interface Family {
  readonly type: string;
  readonly lines: string[];
}

export function prometheusText(
  { resource, scopeMetrics }: ResourceMetrics,
  format: TextFormat = 'prometheus',
): string {
  const families = new Map<string, Family>();
  const target = newFamily('target_info', 'info', 'Target metadata', format);
  target.lines.push(`target_info{${labelsOf(resource.attributes)}} 1`);
  families.set('target_info', target);
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
    for (const metric of metrics) writeMetric(metric, labels, families, format);
  }
  const end = format === 'openmetrics' ? ['# EOF'] : [];
  return `${[...families.values().flatMap(({ lines }) => lines), ...end].join('\n')}\n`;
}

function writeMetric(
  metric: MetricData,
  labels: (attributes: Attributes) => string,
  families: Map<string, Family>,
  format: TextFormat,
): void {
  const { name, type } = nameAndType(metric);
  const family = families.get(name) ?? newFamily(name, type, metric.descriptor.description, format);
  families.set(name, family);
  if (family.type !== type) {
    // OpenMetrics has no comments.
    if (format === 'prometheus') family.lines.push(`# ${name} is a ${type} elsewhere: left out`);
    return;
  }
  if (metric.dataPointType === DataPointType.EXPONENTIAL_HISTOGRAM) {
    for (const point of metric.dataPoints) {
      const exemplars = format === 'openmetrics' ? exemplarsOf(point) : [];
      writeHistogram(name, point, labels(point.attributes), exemplars, family.lines);
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
  exemplars: readonly Exemplar[],
  lines: string[],
): void {
  const { count, sum, zeroCount, positive } = value;
  let below = zeroCount;
  let bound = Number.NEGATIVE_INFINITY;
  const writeBucket = (upper: number, counted: number) => {
    const exemplar = exemplars.find(({ value }) => value > bound && value <= upper);
    const le = upper === Number.POSITIVE_INFINITY ? '+Inf' : upper;
    lines.push(`${name}_bucket{${labels},le="${le}"} ${counted}${exemplarText(exemplar)}`);
    bound = upper;
  };
  writeBucket(0, below);
  for (const [i, bucket] of positive.bucketCounts.entries()) {
    below += bucket;
    writeBucket(2 ** (positive.offset + i + 1), below);
  }
  writeBucket(Number.POSITIVE_INFINITY, count);
  if (sum !== undefined) lines.push(`${name}_sum{${labels}} ${sum}`);
  lines.push(`${name}_count{${labels}} ${count}`);
}

/** A bucket has at most one: the newest. */
function exemplarText(exemplar: Exemplar | undefined): string {
  if (!exemplar) return '';
  const { value, time, span } = exemplar;
  const seconds = (time / 1000).toFixed(3);
  return ` # {trace_id="${span.traceId}",span_id="${span.spanId}"} ${value} ${seconds}`;
}

/** `name` is that of the samples. OpenMetrics' families are named without its suffixes. */
function newFamily(name: string, type: string, description: string, format: TextFormat): Family {
  const open = format === 'openmetrics';
  const suffix = { info: '_info', counter: '_total' }[type] ?? '';
  const family = open ? name.slice(0, name.length - suffix.length) : name;
  const shown = type === 'info' && !open ? 'gauge' : type;
  const escaped = description.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  const help = open ? escaped.replaceAll('"', '\\"') : escaped;
  return { type, lines: [`# HELP ${family} ${help}`, `# TYPE ${family} ${shown}`] };
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
