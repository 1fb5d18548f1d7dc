/** How each signal is written in each protocol. */
import {
  JsonLogsSerializer,
  JsonTraceSerializer,
  ProtobufLogsSerializer,
  ProtobufTraceSerializer,
} from '@opentelemetry/otlp-transformer';
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { countPoints } from './metric-reader.js';
import { metricsJson } from './metrics-json.js';
import { MetricsProtobuf } from './metrics-protobuf.js';
import type { Encoding } from './otlp-exporter.js';
import type { Protocol } from './settings.js';

export const metricsEncoding = (protocol: Protocol): Encoding<ResourceMetrics> => ({
  serializer: protocol === 'http/json' ? metricsJson : new MetricsProtobuf(),
  count: countPoints,
});

export const logsEncoding = (protocol: Protocol): Encoding<ReadableLogRecord[]> => ({
  serializer: protocol === 'http/json' ? JsonLogsSerializer : ProtobufLogsSerializer,
  count: (records) => records.length,
});

export const tracesEncoding = (protocol: Protocol): Encoding<ReadableSpan[]> => ({
  serializer: protocol === 'http/json' ? JsonTraceSerializer : ProtobufTraceSerializer,
  count: (spans) => spans.length,
});
