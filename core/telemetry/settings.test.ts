import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Exporters } from '../config/schema.js';
import { MemWatcherError } from '../errors.js';
import { resolveExporters, type SignalSettings } from './settings.js';

type Env = Record<string, string>;

const resolve = (yaml: object, env: Env) => resolveExporters(Exporters.parse(yaml), env);
const of = (yaml: object, env: Env, signal = 'metrics'): SignalSettings => {
  const found = resolve(yaml, env).signals.find((each) => each.signal === signal);
  assert.ok(found, `no exporter of ${signal}`);
  return found;
};

const BASE = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://env:4318' };
const yaml = (keys: object) => ({ otlp: { default: keys } });

test('without an endpoint nothing is pushed, and metrics can be scraped on loopback', () => {
  const settings = resolve({}, {});
  assert.deepEqual(settings.signals, []);
  assert.deepEqual(settings.prometheus, { host: '127.0.0.1', port: 9464 });
});

const order: [
  what: string,
  yaml: object,
  env: Env,
  read: (s: SignalSettings) => unknown,
  expected: unknown,
][] = [
  ['endpoint: base variable', {}, BASE, (s) => s.url.href, 'http://env:4318/v1/metrics'],
  [
    'endpoint: base with a path',
    {},
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://env/otlp/' },
    (s) => s.url.href,
    'http://env/otlp/v1/metrics',
  ],
  [
    'endpoint: of the signal, as it stands',
    {},
    { ...BASE, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://own/x' },
    (s) => s.url.href,
    'http://own/x',
  ],
  [
    'endpoint: YAML',
    yaml({ endpoint: 'http://yaml:1' }),
    { ...BASE, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://own/x' },
    (s) => s.url.href,
    'http://yaml:1/v1/metrics',
  ],
  [
    'endpoint: an empty variable is none',
    {},
    { ...BASE, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: ' ' },
    (s) => s.url.href,
    'http://env:4318/v1/metrics',
  ],
  ['protocol: default', {}, BASE, (s) => s.protocol, 'http/protobuf'],
  [
    'protocol: general',
    {},
    { ...BASE, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' },
    (s) => s.protocol,
    'http/json',
  ],
  [
    'protocol: signal before general',
    {},
    {
      ...BASE,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'http/protobuf',
    },
    (s) => s.protocol,
    'http/protobuf',
  ],
  [
    'protocol: YAML before both',
    yaml({ protocol: 'http/json' }),
    { ...BASE, OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'http/protobuf' },
    (s) => s.protocol,
    'http/json',
  ],
  ['compression: default', {}, BASE, (s) => s.compression, 'gzip'],
  [
    'compression: variable',
    {},
    { ...BASE, OTEL_EXPORTER_OTLP_COMPRESSION: 'none' },
    (s) => s.compression,
    'none',
  ],
  [
    'compression: YAML',
    yaml({ compression: 'gzip' }),
    { ...BASE, OTEL_EXPORTER_OTLP_COMPRESSION: 'none' },
    (s) => s.compression,
    'gzip',
  ],
  ['timeout: default', {}, BASE, (s) => s.timeout, 10_000],
  [
    'timeout: variable',
    {},
    { ...BASE, OTEL_EXPORTER_OTLP_TIMEOUT: '3000' },
    (s) => s.timeout,
    3000,
  ],
  [
    'timeout: signal',
    {},
    { ...BASE, OTEL_EXPORTER_OTLP_TIMEOUT: '3000', OTEL_EXPORTER_OTLP_METRICS_TIMEOUT: '4000' },
    (s) => s.timeout,
    4000,
  ],
  [
    'timeout: YAML',
    yaml({ timeout: '2s' }),
    { ...BASE, OTEL_EXPORTER_OTLP_TIMEOUT: '3000' },
    (s) => s.timeout,
    2000,
  ],
  ['temporality: default', {}, BASE, (s) => s.temporality, 'cumulative'],
  [
    'temporality: variable',
    {},
    { ...BASE, OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'DELTA' },
    (s) => s.temporality,
    'delta',
  ],
  [
    'temporality: YAML',
    yaml({ temporality: 'cumulative' }),
    { ...BASE, OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'delta' },
    (s) => s.temporality,
    'cumulative',
  ],
  ['interval: default is every collection', {}, BASE, (s) => s.interval, 0],
  [
    'interval: variable',
    {},
    { ...BASE, OTEL_METRIC_EXPORT_INTERVAL: '60000' },
    (s) => s.interval,
    60_000,
  ],
  [
    'interval: YAML',
    yaml({ interval: '30s' }),
    { ...BASE, OTEL_METRIC_EXPORT_INTERVAL: '60000' },
    (s) => s.interval,
    30_000,
  ],
  [
    'headers: merged by name, the last wins',
    yaml({ headers: { 'X-C': 'yaml' } }),
    {
      ...BASE,
      OTEL_EXPORTER_OTLP_HEADERS: 'X-A=general,x-b=general',
      OTEL_EXPORTER_OTLP_METRICS_HEADERS: 'x-b=own%20one,x-c=own',
    },
    (s) => s.headers,
    { 'x-a': 'general', 'x-b': 'own one', 'x-c': 'yaml' },
  ],
  [
    'ca: variable',
    {},
    { ...BASE, OTEL_EXPORTER_OTLP_CERTIFICATE: '/ca.pem' },
    (s) => s.tls.ca,
    { path: '/ca.pem', from: 'OTEL_EXPORTER_OTLP_CERTIFICATE' },
  ],
  [
    'ca: YAML',
    yaml({ tls: { ca_file: '/yaml.pem' } }),
    { ...BASE, OTEL_EXPORTER_OTLP_CERTIFICATE: '/ca.pem' },
    (s) => s.tls.ca,
    { path: '/yaml.pem', from: 'exporters.otlp.default.tls.ca_file' },
  ],
  [
    'client key: signal',
    {},
    { ...BASE, OTEL_EXPORTER_OTLP_CLIENT_KEY: '/k', OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY: '/m' },
    (s) => s.tls.key?.path,
    '/m',
  ],
];
for (const [what, config, env, read, expected] of order) {
  test(what, () => assert.deepEqual(read(of(config, env)), expected));
}

test('each signal has its own variables', () => {
  const env = {
    ...BASE,
    OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: 'http/json',
    OTEL_TRACES_EXPORTER: 'none',
  };
  const { signals } = resolve({}, env);
  const protocols = signals.map(({ signal, protocol }) => `${signal} ${protocol}`);
  assert.deepEqual(protocols, ['metrics http/protobuf', 'logs http/json']);
});

test('the variables do not reach an exporter of another name', () => {
  const env = {
    ...BASE,
    OTEL_EXPORTER_OTLP_HEADERS: 'api-key=secret',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  };
  const { signals } = resolve({ otlp: { other: { endpoint: 'https://other' } } }, env);
  const [own] = signals.filter(({ exporter }) => exporter === 'other');
  assert.deepEqual(own?.headers, {});
  assert.equal(own?.protocol, 'http/protobuf');
  assert.equal(signals.filter(({ exporter }) => exporter === 'default').length, 3);
});

test('an exporter of another name needs an endpoint', () => {
  const config = { ...Exporters.parse({}), otlp: Exporters.parse({}).otlp };
  config.otlp = { other: config.otlp.default as (typeof config.otlp)[string] };
  assert.throws(
    () => resolveExporters(config, BASE),
    (error) => error instanceof MemWatcherError && error.code === 'CONFIG_INVALID',
  );
});

test('a disabled exporter is off, whatever the variables say', () => {
  assert.deepEqual(resolve(yaml({ enabled: false }), BASE).signals, []);
});

test('OTEL_SDK_DISABLED switches everything off', () => {
  const settings = resolve({}, { ...BASE, OTEL_SDK_DISABLED: 'True' });
  assert.deepEqual(settings.signals, []);
  assert.equal(settings.prometheus, undefined);
});

test('variables that make no sense are ignored, each with one warning', () => {
  const env = {
    ...BASE,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
    OTEL_EXPORTER_OTLP_TIMEOUT: 'soon',
    OTEL_METRIC_EXPORT_INTERVAL: '0',
    OTEL_EXPORTER_PROMETHEUS_PORT: '70000',
  };
  const { signals, prometheus, warnings } = resolve({}, env);
  assert.equal(signals[0]?.protocol, 'http/protobuf');
  assert.equal(signals[0]?.timeout, 10_000);
  assert.equal(signals[0]?.interval, 0);
  assert.equal(prometheus?.port, 9464);
  assert.deepEqual(
    warnings.map((warning) => warning.split(' ')[0]).toSorted(),
    Object.keys(env)
      .filter((name) => !(name in BASE))
      .toSorted(),
  );
});

test('Prometheus: YAML before the variables', () => {
  const env = { OTEL_EXPORTER_PROMETHEUS_HOST: '::', OTEL_EXPORTER_PROMETHEUS_PORT: '1' };
  assert.deepEqual(resolve({}, env).prometheus, { host: '::', port: 1 });
  const both = resolve({ prometheus: { host: '127.0.0.2', port: 2 } }, env);
  assert.deepEqual(both.prometheus, { host: '127.0.0.2', port: 2 });
  assert.equal(resolve({ prometheus: { enabled: false } }, env).prometheus, undefined);
});
