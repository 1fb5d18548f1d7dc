/**
 * What each exporter does, from the YAML and the OTEL_* variables, in one order for every option:
 *
 *   1. what the YAML says
 *   2. OTEL_EXPORTER_OTLP_<SIGNAL>_<OPTION>
 *   3. OTEL_EXPORTER_OTLP_<OPTION>
 *   4. the default
 *
 * The variables serve the exporter named `default` alone: a key meant for one backend must never
 * travel to another. Headers are merged by name in this order. An empty variable is not set.
 * A variable that makes no sense is ignored with a warning, as OpenTelemetry asks.
 */
import { parseKeyPairsIntoRecord } from '@opentelemetry/core';
import type { ExportersConfig, OtlpExporterConfig, PrometheusConfig } from '../config/schema.js';
import { MemWatcherError } from '../errors.js';
import type { Signal } from './outcome.js';

export type Environment = Readonly<Record<string, string | undefined>>;

export type Protocol = 'http/protobuf' | 'http/json';
export type Temporality = 'cumulative' | 'delta';

/** A PEM file, and which key or variable named it, for the error if it cannot be read. */
export interface PemFile {
  readonly path: string;
  readonly from: string;
}

export interface TlsSettings {
  readonly ca?: PemFile;
  readonly cert?: PemFile;
  readonly key?: PemFile;
  readonly skipVerify: boolean;
}

/** One exporter and one signal: everything decided. */
export interface SignalSettings {
  readonly exporter: string;
  readonly signal: Signal;
  readonly url: URL;
  readonly protocol: Protocol;
  readonly headers: Readonly<Record<string, string>>;
  readonly compression: 'gzip' | 'none';
  /** Of one attempt, ms. */
  readonly timeout: number;
  readonly temporality: Temporality;
  /** ms; 0 sends every collection. */
  readonly interval: number;
  readonly maxRequestPoints: number;
  readonly maxBatches: number;
  readonly maxBytes: number;
  readonly tls: TlsSettings;
}

export interface PrometheusSettings {
  readonly host: string;
  readonly port: number;
}

export interface ExporterSettings {
  readonly signals: readonly SignalSettings[];
  readonly prometheus: PrometheusSettings | undefined;
  /** Variables that were ignored, and why. */
  readonly warnings: readonly string[];
}

const DEFAULT_TIMEOUT = 10_000;
const DEFAULT_PROMETHEUS_PORT = 9464;
const SELECTORS: Readonly<Record<Signal, string>> = {
  metrics: 'OTEL_METRICS_EXPORTER',
  logs: 'OTEL_LOGS_EXPORTER',
  traces: 'OTEL_TRACES_EXPORTER',
};

/** Pure: reads no file. Throws CONFIG_INVALID for an exporter that names no endpoint. */
export function resolveExporters(config: ExportersConfig, env: Environment): ExporterSettings {
  const variables = new Variables(env);
  if (variables.flag('OTEL_SDK_DISABLED')) {
    return { signals: [], prometheus: undefined, warnings: variables.warnings };
  }
  const signals = Object.entries(config.otlp)
    .filter(([, exporter]) => exporter.enabled)
    .flatMap(([name, exporter]) => {
      const source = name === 'default' ? variables : new Variables({});
      return exporter.signals
        .map((signal) => resolveSignal(name, signal, exporter, source))
        .filter((settings) => settings !== undefined);
    });
  const prometheus = resolvePrometheus(config.prometheus, variables);
  return { signals, prometheus, warnings: variables.warnings };
}

function resolveSignal(
  name: string,
  signal: Signal,
  config: OtlpExporterConfig,
  variables: Variables,
): SignalSettings | undefined {
  const url = endpoint(name, signal, config, variables);
  if (!url || variables.get(SELECTORS[signal]) === 'none') return undefined;
  const otlp = variables.forSignal(signal);
  return {
    exporter: name,
    signal,
    url,
    protocol: config.protocol ?? otlp.oneOf('PROTOCOL', PROTOCOLS) ?? 'http/protobuf',
    headers: { ...otlp.headers(), ...lowerCase(config.headers) },
    compression: config.compression ?? otlp.oneOf('COMPRESSION', COMPRESSIONS) ?? 'gzip',
    timeout: config.timeout ?? otlp.milliseconds('TIMEOUT') ?? DEFAULT_TIMEOUT,
    temporality: config.temporality ?? variables.temporality() ?? 'cumulative',
    interval: config.interval ?? variables.milliseconds('OTEL_METRIC_EXPORT_INTERVAL') ?? 0,
    maxRequestPoints: config.max_request_points,
    maxBatches: config.queue.max_batches,
    maxBytes: config.queue.max_bytes,
    tls: tls(name, config, otlp),
  };
}

function endpoint(
  name: string,
  signal: Signal,
  config: OtlpExporterConfig,
  variables: Variables,
): URL | undefined {
  if (config.endpoint !== undefined) return signalUrl(config.endpoint, signal);
  if (name !== 'default') {
    throw new MemWatcherError(
      'CONFIG_INVALID',
      `exporters.otlp.${name}.endpoint is missing: only the exporter named default may take it ` +
        'from OTEL_EXPORTER_OTLP_ENDPOINT',
    );
  }
  const own = variables.url(`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT`);
  if (own) return own;
  const base = variables.url('OTEL_EXPORTER_OTLP_ENDPOINT');
  return base && signalUrl(base.href, signal);
}

/** The base URL's path is kept: `/otlp` becomes `/otlp/v1/metrics`. */
function signalUrl(base: string, signal: Signal): URL {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/v1/${signal}`;
  return url;
}

function tls(name: string, { tls }: OtlpExporterConfig, otlp: SignalVariables): TlsSettings {
  const pem = (key: 'ca_file' | 'cert_file' | 'key_file', variable: string) => {
    const path = tls[key];
    return path === undefined
      ? otlp.file(variable)
      : { path, from: `exporters.otlp.${name}.tls.${key}` };
  };
  const ca = pem('ca_file', 'CERTIFICATE');
  const cert = pem('cert_file', 'CLIENT_CERTIFICATE');
  const key = pem('key_file', 'CLIENT_KEY');
  return {
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    skipVerify: tls.insecure_skip_verify,
  };
}

function resolvePrometheus(
  config: PrometheusConfig,
  variables: Variables,
): PrometheusSettings | undefined {
  if (!config.enabled) return undefined;
  return {
    host: config.host ?? variables.get('OTEL_EXPORTER_PROMETHEUS_HOST') ?? '127.0.0.1',
    port:
      config.port ??
      variables.integer('OTEL_EXPORTER_PROMETHEUS_PORT', 65_535) ??
      DEFAULT_PROMETHEUS_PORT,
  };
}

const lowerCase = (headers: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

const PROTOCOLS: readonly Protocol[] = ['http/protobuf', 'http/json'];
const COMPRESSIONS = ['gzip', 'none'] as const;

/** The environment, read as OpenTelemetry's specification says. */
class Variables {
  readonly warnings: string[] = [];

  constructor(readonly env: Environment) {}

  get(name: string): string | undefined {
    const value = this.env[name]?.trim();
    return value === '' ? undefined : value;
  }

  flag(name: string): boolean {
    return this.get(name)?.toLowerCase() === 'true';
  }

  url(name: string): URL | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    const url = URL.parse(value);
    if (url && /^https?:$/.test(url.protocol)) return url;
    return this.#ignore(name, 'it is not an http or https URL');
  }

  integer(name: string, max: number): number | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (number <= max) return number;
    return this.#ignore(name, `it is not a whole number from 0 to ${max}`);
  }

  milliseconds(name: string): number | undefined {
    const value = this.integer(name, 2 ** 31 - 1);
    return value === 0 ? this.#ignore(name, '0 ms is no time at all') : value;
  }

  oneOf<T extends string>(name: string, values: readonly T[]): T | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    const known = values.find((candidate) => candidate === value.toLowerCase());
    if (known !== undefined) return known;
    return this.#ignore(name, `${value} is not supported; it may be ${values.join(' or ')}`);
  }

  temporality(): Temporality | undefined {
    const name = 'OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE';
    const value = this.oneOf(name, ['cumulative', 'delta', 'lowmemory'] as const);
    return value === 'lowmemory' ? 'delta' : value;
  }

  forSignal(signal: Signal): SignalVariables {
    return new SignalVariables(this, signal);
  }

  #ignore(name: string, why: string): undefined {
    const warning = `${name} is ignored: ${why}`;
    if (!this.warnings.includes(warning)) this.warnings.push(warning);
    return undefined;
  }
}

/** OTEL_EXPORTER_OTLP_<SIGNAL>_X, else OTEL_EXPORTER_OTLP_X. */
class SignalVariables {
  constructor(
    readonly variables: Variables,
    readonly signal: Signal,
  ) {}

  oneOf<T extends string>(option: string, values: readonly T[]): T | undefined {
    return this.#first(option, (name) => this.variables.oneOf(name, values));
  }

  milliseconds(option: string): number | undefined {
    return this.#first(option, (name) => this.variables.milliseconds(name));
  }

  file(option: string): PemFile | undefined {
    return this.#first(option, (from) => {
      const path = this.variables.get(from);
      return path === undefined ? undefined : { path, from };
    });
  }

  headers(): Record<string, string> {
    const merged = this.#names('HEADERS')
      .toReversed()
      .map((name) => lowerCase(parseKeyPairsIntoRecord(this.variables.get(name))));
    return Object.assign({}, ...merged);
  }

  #first<T>(option: string, read: (name: string) => T | undefined): T | undefined {
    const [own, general] = this.#names(option);
    return read(own) ?? read(general);
  }

  #names(option: string): [string, string] {
    const prefix = 'OTEL_EXPORTER_OTLP';
    return [`${prefix}_${this.signal.toUpperCase()}_${option}`, `${prefix}_${option}`];
  }
}
