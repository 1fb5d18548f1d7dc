/** The records of `--json`: one a line, documented in docs/json.md. Stable: only keys are added. */
import type { EventRecord, SpanRecord } from '../telemetry/events.js';
import type { HistogramPoint, PointAttributes, PointBatch } from '../telemetry/points.js';
import { HOSTILE } from './text.js';

export interface PointJson {
  readonly time: string;
  readonly plugin: string;
  readonly name: string;
  readonly unit: string;
  readonly attributes: PointAttributes;
  readonly value: number | HistogramJson;
}

export interface HistogramJson {
  readonly count: number;
  readonly sum: number;
  readonly min?: number;
  readonly max?: number;
  readonly zero_count: number;
  /** Not cumulative; those that counted nothing are left out. */
  readonly buckets: readonly { readonly le: number; readonly count: number }[];
  /** Values of which there is a span, newest first. */
  readonly exemplars?: readonly ExemplarJson[];
}

export interface ExemplarJson {
  readonly time: string;
  readonly value: number;
  readonly trace_id: string;
  readonly span_id: string;
}

export interface EventJson {
  readonly time: string;
  readonly plugin: string;
  readonly event: string;
  readonly severity: string;
  readonly attributes: PointAttributes;
  readonly body: string;
}

export interface SpanJson {
  /** When it began. */
  readonly time: string;
  readonly plugin: string;
  readonly span: string;
  readonly duration_seconds: number;
  readonly trace_id: string;
  readonly span_id: string;
  readonly attributes: PointAttributes;
}

/** Unix ms → ISO 8601, UTC. */
export const isoTime = (time: number) => new Date(time).toISOString();

/** Milliseconds → seconds, to the microsecond. */
export const seconds = (ms: number) => Math.round(ms * 1000) / 1e6;

export function* pointRecords(batch: PointBatch): Generator<PointJson> {
  const { plugin } = batch;
  const time = isoTime(batch.time);
  for (const { name, spec, scalars, histograms } of batch.metrics) {
    const { unit } = spec;
    for (const { attributes, value } of scalars) {
      yield { time, plugin, name, unit, attributes, value };
    }
    for (const point of histograms) {
      const { attributes } = point;
      yield { time, plugin, name, unit, attributes, value: histogramRecord(point) };
    }
  }
}

function histogramRecord(point: HistogramPoint): HistogramJson {
  const { count, sum, min, max, zeroCount, offset, buckets, exemplars = [] } = point;
  return {
    count,
    sum,
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    zero_count: zeroCount,
    buckets: buckets
      .map((count, index) => ({ le: 2 ** (index + offset + 1), count }))
      .filter((bucket) => bucket.count > 0),
    ...(exemplars.length > 0 && {
      exemplars: exemplars.map(({ time, value, span }) => ({
        time: isoTime(time),
        value,
        trace_id: span.traceId,
        span_id: span.spanId,
      })),
    }),
  };
}

export function eventRecord({
  time,
  plugin,
  event,
  severity,
  attributes,
  body,
}: EventRecord): EventJson {
  return { time: isoTime(time), plugin, event, severity, attributes, body };
}

export function spanRecord({
  plugin,
  ids,
  name,
  startTime,
  endTime,
  attributes,
}: SpanRecord): SpanJson {
  return {
    time: isoTime(startTime),
    plugin,
    span: name,
    duration_seconds: seconds(endTime - startTime),
    trace_id: ids.traceId,
    span_id: ids.spanId,
    attributes,
  };
}

/** One line. What is `HOSTILE` is escaped too: JSON does not ask for it, a terminal does. */
export function jsonLine(record: unknown): string {
  const text = JSON.stringify(record).replace(
    HOSTILE,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `${text}\n`;
}
