/** The Collector's file, flattened: one entry a data point, with all that belongs to it. */

type Scalar = string | number | boolean;
export type Attributes = Readonly<Record<string, Scalar | readonly Scalar[]>>;

export interface Exemplar {
  readonly traceId: string;
  readonly spanId: string;
  readonly value: number;
  /** Unix ms. */
  readonly time: number;
}

export interface Metric {
  readonly name: string;
  readonly unit: string;
  readonly type: 'sum' | 'gauge' | 'exponentialHistogram' | 'histogram';
  readonly monotonic: boolean | undefined;
  readonly temporality: 'delta' | 'cumulative' | undefined;
  readonly attributes: Attributes;
  readonly resource: Attributes;
  readonly scope: string;
  /** Of a sum or gauge. */
  readonly value: number;
  /** Of a histogram. */
  readonly count: number | undefined;
  readonly sum: number | undefined;
  readonly exemplars: readonly Exemplar[];
  readonly isInteger: boolean;
  /** Unix ms. */
  readonly time: number;
  readonly startTime: number;
}

interface ScalarValue {
  readonly stringValue?: string;
  readonly intValue?: string;
  readonly doubleValue?: number;
  readonly boolValue?: boolean;
}

interface AnyValue extends ScalarValue {
  readonly arrayValue?: { readonly values?: readonly ScalarValue[] };
}

interface KeyValue {
  readonly key: string;
  readonly value: AnyValue;
}

interface ExemplarJson {
  readonly timeUnixNano: string;
  readonly traceId?: string;
  readonly spanId?: string;
  readonly asInt?: string;
  readonly asDouble?: number;
}

interface DataPoint {
  readonly attributes?: readonly KeyValue[];
  readonly timeUnixNano: string;
  readonly startTimeUnixNano?: string;
  readonly asInt?: string;
  readonly asDouble?: number;
  readonly count?: string;
  readonly sum?: number;
  readonly exemplars?: readonly ExemplarJson[];
}

interface Data {
  readonly dataPoints: readonly DataPoint[];
  readonly aggregationTemporality?: number;
  readonly isMonotonic?: boolean;
}

type OtlpMetric = { readonly name: string; readonly unit?: string } & {
  readonly [T in Metric['type']]?: Data;
};

export interface OtlpMetricsLine {
  readonly resourceMetrics: readonly {
    readonly resource: { readonly attributes?: readonly KeyValue[] };
    readonly scopeMetrics: readonly {
      readonly scope?: { readonly name?: string };
      readonly metrics: readonly OtlpMetric[];
    }[];
  }[];
}

const TYPES = ['sum', 'gauge', 'exponentialHistogram', 'histogram'] as const;
const TEMPORALITIES = [undefined, 'delta', 'cumulative'] as const;

export const metricsOf = (line: OtlpMetricsLine): Metric[] =>
  line.resourceMetrics.flatMap(({ resource, scopeMetrics }) =>
    scopeMetrics.flatMap(({ scope, metrics }) =>
      metrics.flatMap((metric) =>
        pointsOf(metric).map((point) => ({
          ...point,
          resource: attributesOf(resource.attributes),
          scope: scope?.name ?? '',
        })),
      ),
    ),
  );

const pointsOf = (metric: OtlpMetric): Omit<Metric, 'resource' | 'scope'>[] =>
  TYPES.flatMap((type) => {
    const data = metric[type];
    return (data?.dataPoints ?? []).map((point) => ({
      name: metric.name,
      unit: metric.unit ?? '',
      type,
      monotonic: data?.isMonotonic ?? (type === 'sum' ? false : undefined),
      temporality: TEMPORALITIES[data?.aggregationTemporality ?? 0],
      attributes: attributesOf(point.attributes),
      value: numberOf(point),
      // A count of nothing is left out.
      count: /histogram/i.test(type) ? Number(point.count ?? 0) : undefined,
      sum: point.sum,
      exemplars: (point.exemplars ?? []).map((exemplar) => ({
        traceId: exemplar.traceId ?? '',
        spanId: exemplar.spanId ?? '',
        value: numberOf(exemplar),
        time: milliseconds(exemplar.timeUnixNano),
      })),
      isInteger: point.asInt !== undefined,
      time: milliseconds(point.timeUnixNano),
      startTime: milliseconds(point.startTimeUnixNano ?? '0'),
    }));
  });

const numberOf = ({ asInt, asDouble }: Pick<DataPoint, 'asInt' | 'asDouble'>): number =>
  asInt === undefined ? (asDouble ?? Number.NaN) : Number(asInt);

export interface Log {
  readonly eventName: string;
  readonly severity: string;
  readonly severityNumber: number;
  readonly body: string;
  readonly attributes: Attributes;
  readonly resource: Attributes;
  readonly time: number;
}

export interface OtlpLogsLine {
  readonly resourceLogs: readonly {
    readonly resource: { readonly attributes?: readonly KeyValue[] };
    readonly scopeLogs: readonly {
      readonly logRecords: readonly {
        readonly timeUnixNano: string;
        readonly eventName?: string;
        readonly severityText?: string;
        readonly severityNumber?: number;
        readonly body?: KeyValue['value'];
        readonly attributes?: readonly KeyValue[];
      }[];
    }[];
  }[];
}

export const logsOf = (line: OtlpLogsLine): Log[] =>
  line.resourceLogs.flatMap(({ resource, scopeLogs }) =>
    scopeLogs.flatMap(({ logRecords }) =>
      logRecords.map((record) => ({
        eventName: record.eventName ?? '',
        severity: record.severityText ?? '',
        severityNumber: record.severityNumber ?? 0,
        body: record.body?.stringValue ?? '',
        attributes: attributesOf(record.attributes),
        resource: attributesOf(resource.attributes),
        time: milliseconds(record.timeUnixNano),
      })),
    ),
  );

export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  /** Unix ns. */
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: Attributes;
  readonly resource: Attributes;
  readonly scope: string;
}

export interface OtlpTracesLine {
  readonly resourceSpans?: readonly {
    readonly resource: { readonly attributes?: readonly KeyValue[] };
    readonly scopeSpans: readonly {
      readonly scope?: { readonly name?: string };
      readonly spans: readonly {
        readonly traceId: string;
        readonly spanId: string;
        readonly parentSpanId?: string;
        readonly name: string;
        readonly startTimeUnixNano: string;
        readonly endTimeUnixNano: string;
        readonly attributes?: readonly KeyValue[];
      }[];
    }[];
  }[];
}

export const spansOf = ({ resourceSpans = [] }: OtlpTracesLine): Span[] =>
  resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans }) =>
      spans.map((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId ?? '',
        name: span.name,
        startNs: BigInt(span.startTimeUnixNano),
        endNs: BigInt(span.endTimeUnixNano),
        attributes: attributesOf(span.attributes),
        resource: attributesOf(resource.attributes),
        scope: scope?.name ?? '',
      })),
    ),
  );

const milliseconds = (nanoseconds: string): number => Number(BigInt(nanoseconds) / 1_000_000n);

const attributesOf = (list: readonly KeyValue[] = []): Attributes =>
  Object.fromEntries(
    list.map(({ key, value }) => [
      key,
      value.arrayValue ? (value.arrayValue.values ?? []).map(scalarOf) : scalarOf(value),
    ]),
  );

const scalarOf = (value: ScalarValue): Scalar =>
  value.stringValue ??
  value.boolValue ??
  value.doubleValue ??
  (value.intValue === undefined ? '' : Number(value.intValue));
