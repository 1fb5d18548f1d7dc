/**
 * Metrics as OTLP protobuf. The SDK's own serializer measures everything first and writes each
 * attribute anew; with ten thousand points that is most of an export's CPU (bench/export.bench.ts,
 * docs/decisions). Here points that share an attribute object share its encoding. Numbers beside the
 * fields are those of opentelemetry/proto/metrics/v1/metrics.proto.
 */
import { type Attributes, type AttributeValue, type HrTime, ValueType } from '@opentelemetry/api';
import { type ISerializer, ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer';
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type ExponentialHistogram,
  type MetricData,
  type ResourceMetrics,
  type ScopeMetrics,
} from '@opentelemetry/sdk-metrics';
import { exemplarsOf, toHrTime } from './metric-data.js';
import { Nanoseconds } from './nanoseconds.js';
import type { PartialSuccess } from './otlp-exporter.js';
import type { Exemplar } from './points.js';
import { FIXED64, ProtobufWriter, VARINT } from './protobuf-writer.js';

export class MetricsProtobuf implements ISerializer<ResourceMetrics, PartialSuccess> {
  #lastSize = 0;

  serializeRequest(metrics: ResourceMetrics): Uint8Array {
    const encoder = new Encoder(this.#lastSize + this.#lastSize / 8);
    const bytes = encoder.request(metrics);
    this.#lastSize = bytes.byteLength;
    return bytes;
  }

  deserializeResponse(data: Uint8Array): PartialSuccess {
    return ProtobufMetricsSerializer.deserializeResponse(data);
  }
}

const NUMBER_ATTRIBUTES = 7;
const HISTOGRAM_ATTRIBUTES = 1;

/** Writes one request; see ProtobufWriter for why everything is the wrong way round. */
class Encoder {
  readonly #writer: ProtobufWriter;
  /** Which attributes are in the output already, and where: `#regions[n]` to `[n + 1]`. */
  readonly #written = new Map<Attributes, number>();
  readonly #regions: number[] = [];
  readonly #start = new Nanoseconds();
  readonly #end = new Nanoseconds();
  readonly #exemplarTime = new Nanoseconds();

  constructor(sizeHint: number) {
    this.#writer = new ProtobufWriter(sizeHint);
  }

  request({ resource, scopeMetrics }: ResourceMetrics): Uint8Array {
    const writer = this.#writer;
    if (resource.schemaUrl) writer.string(3, resource.schemaUrl);
    for (const scope of scopeMetrics.toReversed()) this.#scope(scope);
    const resourceFrom = writer.length;
    this.#attributes(1, resource.attributes);
    writer.endBytes(1, resourceFrom);
    writer.endBytes(1, 0);
    return writer.finish();
  }

  #scope({ scope, metrics }: ScopeMetrics): void {
    const writer = this.#writer;
    const from = writer.length;
    if (scope.schemaUrl) writer.string(3, scope.schemaUrl);
    for (const metric of metrics.toReversed()) this.#metric(metric);
    const scopeFrom = writer.length;
    if (scope.version) writer.string(2, scope.version);
    writer.string(1, scope.name);
    writer.endBytes(1, scopeFrom);
    writer.endBytes(2, from);
  }

  #metric(metric: MetricData): void {
    const writer = this.#writer;
    const { name, description, unit, valueType } = metric.descriptor;
    const from = writer.length;
    switch (metric.dataPointType) {
      case DataPointType.GAUGE:
        this.#points(metric.dataPoints, (point) => this.#number(point, valueType));
        writer.endBytes(5, from);
        break;
      case DataPointType.SUM:
        if (metric.isMonotonic) this.#varintField(3, 1);
        this.#varintField(2, temporality(metric));
        this.#points(metric.dataPoints, (point) => this.#number(point, valueType));
        writer.endBytes(7, from);
        break;
      case DataPointType.EXPONENTIAL_HISTOGRAM:
        this.#varintField(2, temporality(metric));
        this.#points(metric.dataPoints, (point) => this.#histogram(point, valueType));
        writer.endBytes(10, from);
        break;
      default:
        throw new TypeError(`${name}: mem-watcher makes no points of type ${metric.dataPointType}`);
    }
    writer.string(3, unit);
    writer.string(2, description);
    writer.string(1, name);
    writer.endBytes(2, from);
  }

  #points<T>(points: readonly T[], write: (point: T) => void): void {
    for (let i = points.length - 1; i >= 0; i--) {
      const from = this.#writer.length;
      write(points[i] as T);
      this.#writer.endBytes(1, from);
    }
  }

  #number({ startTime, endTime, attributes, value }: DataPoint<number>, type: ValueType): void {
    const writer = this.#writer;
    this.#sharedAttributes(attributes);
    if (type === ValueType.INT) {
      writer.int64(value);
      writer.tag(6, FIXED64);
    } else {
      this.#doubleField(4, value);
    }
    this.#time(3, endTime);
    this.#time(2, startTime);
  }

  #histogram(point: DataPoint<ExponentialHistogram>, type: ValueType): void {
    const { startTime, endTime, attributes, value } = point;
    const writer = this.#writer;
    if (value.max !== undefined) this.#doubleField(13, value.max);
    if (value.min !== undefined) this.#doubleField(12, value.min);
    for (const exemplar of exemplarsOf(point).toReversed()) this.#exemplar(11, exemplar, type);
    this.#buckets(9, value.negative);
    this.#buckets(8, value.positive);
    writer.int64(value.zeroCount);
    writer.tag(7, FIXED64);
    writer.zigzag(value.scale);
    writer.tag(6, VARINT);
    if (value.sum !== undefined) this.#doubleField(5, value.sum);
    writer.int64(value.count);
    writer.tag(4, FIXED64);
    this.#time(3, endTime);
    this.#time(2, startTime);
    this.#attributes(HISTOGRAM_ATTRIBUTES, attributes);
  }

  #exemplar(field: number, { value, time, span }: Exemplar, type: ValueType): void {
    const writer = this.#writer;
    const from = writer.length;
    const whole = type === ValueType.INT && Number.isSafeInteger(value);
    if (whole) {
      writer.int64(value);
      writer.tag(6, FIXED64);
    }
    writer.hex(5, span.traceId);
    writer.hex(4, span.spanId);
    if (!whole) this.#doubleField(3, value);
    this.#exemplarTime.set(toHrTime(time));
    writer.words(this.#exemplarTime.low, this.#exemplarTime.high);
    writer.tag(2, FIXED64);
    writer.endBytes(field, from);
  }

  #buckets(field: number, { offset, bucketCounts }: ExponentialHistogram['positive']): void {
    if (bucketCounts.length === 0) return;
    const writer = this.#writer;
    const from = writer.length;
    for (const count of bucketCounts.toReversed()) writer.varint(count);
    writer.endBytes(2, from);
    writer.zigzag(offset);
    writer.tag(1, VARINT);
    writer.endBytes(field, from);
  }

  #sharedAttributes(attributes: Attributes): void {
    const writer = this.#writer;
    const written = this.#written.get(attributes);
    if (written !== undefined) {
      writer.repeat(this.#regions[written] as number, this.#regions[written + 1] as number);
      return;
    }
    this.#written.set(attributes, this.#regions.length);
    this.#regions.push(writer.length);
    this.#attributes(NUMBER_ATTRIBUTES, attributes);
    this.#regions.push(writer.length);
  }

  #attributes(field: number, attributes: Attributes): void {
    const writer = this.#writer;
    const keys = Object.keys(attributes);
    for (let i = keys.length - 1; i >= 0; i--) {
      const key = keys[i] as string;
      const value = attributes[key];
      if (value === undefined) continue;
      const from = writer.length;
      this.#anyValue(value);
      writer.endBytes(2, from);
      writer.string(1, key);
      writer.endBytes(field, from);
    }
  }

  #anyValue(value: AttributeValue): void {
    const writer = this.#writer;
    if (typeof value === 'string') {
      writer.string(1, value);
    } else if (typeof value === 'boolean') {
      this.#varintField(2, value ? 1 : 0);
    } else if (Array.isArray(value)) {
      this.#arrayValue(value);
    } else if (typeof value !== 'number') {
      throw new TypeError('an attribute is a string, a number, a boolean, or a list of them');
    } else if (Number.isSafeInteger(value)) {
      this.#varintField(3, value);
    } else {
      this.#doubleField(4, value);
    }
  }

  #arrayValue(values: readonly (AttributeValue | null | undefined)[]): void {
    const writer = this.#writer;
    const from = writer.length;
    for (const value of [...values].reverse()) {
      const itemFrom = writer.length;
      if (value !== null && value !== undefined) this.#anyValue(value);
      writer.endBytes(1, itemFrom);
    }
    writer.endBytes(5, from);
  }

  #varintField(field: number, value: number): void {
    this.#writer.varint(value);
    this.#writer.tag(field, VARINT);
  }

  #doubleField(field: number, value: number): void {
    this.#writer.double(value);
    this.#writer.tag(field, FIXED64);
  }

  #time(field: 2 | 3, time: HrTime): void {
    const nanoseconds = field === 2 ? this.#start : this.#end;
    nanoseconds.set(time);
    this.#writer.words(nanoseconds.low, nanoseconds.high);
    this.#writer.tag(field, FIXED64);
  }
}

function temporality({ aggregationTemporality }: MetricData): number {
  return aggregationTemporality === AggregationTemporality.DELTA ? 1 : 2;
}
