/** The Collector's file, flattened: one entry a data point, with all that belongs to it. */

export type Attributes = Readonly<Record<string, string | number | boolean>>;

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
  readonly isInteger: boolean;
  /** Unix ms. */
  readonly time: number;
  readonly startTime: number;
}

interface KeyValue {
  readonly key: string;
  readonly value: {
    readonly stringValue?: string;
    readonly intValue?: string;
    readonly doubleValue?: number;
    readonly boolValue?: boolean;
  };
}

interface DataPoint {
  readonly attributes?: readonly KeyValue[];
  readonly timeUnixNano: string;
  readonly startTimeUnixNano?: string;
  readonly asInt?: string;
  readonly asDouble?: number;
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
      value: point.asInt === undefined ? (point.asDouble ?? Number.NaN) : Number(point.asInt),
      isInteger: point.asInt !== undefined,
      time: milliseconds(point.timeUnixNano),
      startTime: milliseconds(point.startTimeUnixNano ?? '0'),
    }));
  });

export interface Log {
  readonly eventName: string;
  readonly severity: string;
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
        body: record.body?.stringValue ?? '',
        attributes: attributesOf(record.attributes),
        resource: attributesOf(resource.attributes),
        time: milliseconds(record.timeUnixNano),
      })),
    ),
  );

const milliseconds = (nanoseconds: string): number => Number(BigInt(nanoseconds) / 1_000_000n);

const attributesOf = (list: readonly KeyValue[] = []): Attributes =>
  Object.fromEntries(
    list.map(({ key, value }) => [
      key,
      value.stringValue ??
        value.boolValue ??
        value.doubleValue ??
        (value.intValue === undefined ? '' : Number(value.intValue)),
    ]),
  );
