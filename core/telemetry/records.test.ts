/** Events and spans on the wire, in both encodings of every protocol. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { logsEncoding, tracesEncoding } from './encodings.js';
import { RecordMaker } from './records.js';
import { START } from './testing/samples.js';
import { type Decoded, decode, logsRequest, tracesRequest } from './testing/wire.js';

const maker = new RecordMaker(resourceFromAttributes({}), '1.2.3');
const attributes = {
  'memwatcher.flags': ['__GFP_IO', '__GFP_FS', 'ünïcode'],
  'memwatcher.blocks': [0, 17, 2 ** 40, -1],
  'memwatcher.none': [],
  'process.pid': 7,
  absent: undefined,
};
const log = maker.logRecord(
  {
    plugin: 'sample',
    event: 'memwatcher.sample.happened',
    time: START,
    severity: 'WARN',
    attributes,
    body: 'it happened',
  },
  START,
);
const ids = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: '00f067aa0ba902b7' };
const span = maker.span({
  plugin: 'sample',
  ids,
  name: 'memwatcher.sample',
  startTime: START,
  endTime: START + 1.5,
  attributes,
});

const strings = ['__GFP_IO', '__GFP_FS', 'ünïcode'].map((string) => ({ string }));
const ints = [0n, 17n, 2n ** 40n, -1n].map((int) => ({ int }));
const ON_WIRE = [
  { key: 'memwatcher.flags', value: { array: { values: strings } } },
  { key: 'memwatcher.blocks', value: { array: { values: ints } } },
  { key: 'memwatcher.none', value: { array: {} } },
  { key: 'process.pid', value: { int: 7n } },
];
const IN_JSON = [
  {
    key: 'memwatcher.flags',
    value: { arrayValue: { values: strings.map(({ string: stringValue }) => ({ stringValue })) } },
  },
  {
    key: 'memwatcher.blocks',
    value: { arrayValue: { values: ints.map(({ int }) => ({ intValue: Number(int) })) } },
  },
  { key: 'memwatcher.none', value: { arrayValue: { values: [] } } },
  { key: 'process.pid', value: { intValue: 7 } },
];

const only = (decoded: Decoded): Decoded => {
  const [resource] = decoded.resources as { scopes: { items: Decoded[] }[] }[];
  const item = resource?.scopes[0]?.items[0];
  assert.ok(item);
  return item;
};

test('an attribute that is a list is an array in protobuf', () => {
  const logs = logsEncoding('http/protobuf').serializer.serializeRequest([log]);
  const spans = tracesEncoding('http/protobuf').serializer.serializeRequest([span]);
  assert.ok(logs && spans);
  assert.deepEqual(only(decode(logs, logsRequest)).attributes, ON_WIRE);
  const decoded = only(decode(spans, tracesRequest));
  assert.deepEqual(decoded.attributes, ON_WIRE);
  assert.deepEqual([decoded.traceId, decoded.spanId], [ids.traceId, ids.spanId]);
});

test('and in JSON', () => {
  const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();
  const logs = JSON.parse(text(logsEncoding('http/json').serializer.serializeRequest([log])));
  const spans = JSON.parse(text(tracesEncoding('http/json').serializer.serializeRequest([span])));
  assert.deepEqual(logs.resourceLogs[0].scopeLogs[0].logRecords[0].attributes, IN_JSON);
  assert.deepEqual(spans.resourceSpans[0].scopeSpans[0].spans[0].attributes, IN_JSON);
});
