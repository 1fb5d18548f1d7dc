/**
 * The shape of agent.yaml after checking and defaults. Durations are milliseconds, sizes bytes,
 * in memory; in YAML they carry their unit (`10s`, `64MiB`).
 */
import * as z from 'zod';
import type { Metadata } from '../metadata.js';
import type { PluginModule } from '../plugin.js';
import { duration, size } from './units.js';

/**
 * Keys without a default here have one in `core/telemetry/settings.ts`: only what the file really
 * says may win over the OTEL_* variables, so what it leaves out must stay visible as undefined.
 */
const Tls = z
  .strictObject({
    ca_file: z.string().optional().describe('PEM of the authorities to trust'),
    cert_file: z.string().optional().describe('PEM of the client certificate (mTLS)'),
    key_file: z.string().optional().describe('PEM of the client key (mTLS)'),
    insecure_skip_verify: z
      .boolean()
      .default(false)
      .describe('accept any server certificate; for tests only'),
  })
  .describe('TLS of an https endpoint');

const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

export const OtlpExporter = z.strictObject({
  enabled: z.boolean().default(true).describe('whether anything is sent there'),
  endpoint: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe(
      'base URL, for instance http://localhost:4318; v1/metrics and so on are appended. The ' +
        'exporter named default takes OTEL_EXPORTER_OTLP_ENDPOINT if this is absent, and is off ' +
        'without either; every other exporter needs it',
    ),
  protocol: z
    .enum(['http/protobuf', 'http/json'])
    .optional()
    .describe('default OTEL_EXPORTER_OTLP_PROTOCOL, else http/protobuf'),
  signals: z
    .array(z.enum(['metrics', 'logs', 'traces']))
    .default(['metrics', 'logs', 'traces'])
    .describe('what is sent there'),
  headers: z
    .record(z.string(), z.string())
    .superRefine((headers, context) => {
      for (const [name, value] of Object.entries(headers)) {
        const tell = (message: string) =>
          context.addIssue({ code: 'custom', path: [name], message, input: undefined });
        if (!HEADER_NAME.test(name)) tell('is not a name that an HTTP header can have');
        else if (!HEADER_VALUE.test(value)) tell('holds what no HTTP header can (an end of line?)');
      }
    })
    .default({})
    .describe('HTTP headers; values are secret. Laid over OTEL_EXPORTER_OTLP_HEADERS'),
  compression: z
    .enum(['gzip', 'none'])
    .optional()
    .describe('default OTEL_EXPORTER_OTLP_COMPRESSION, else gzip'),
  timeout: duration({ min: 1 })
    .optional()
    .describe('of one attempt; default OTEL_EXPORTER_OTLP_TIMEOUT, else 10s'),
  temporality: z
    .enum(['cumulative', 'delta'])
    .optional()
    .describe(
      'of counters and histograms; Datadog takes delta only. Default ' +
        'OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE, else cumulative',
    ),
  interval: duration({ min: 100 })
    .optional()
    .describe(
      'how often metrics are sent, with the first collection at or after it; default ' +
        'OTEL_METRIC_EXPORT_INTERVAL, else every collection',
    ),
  max_request_points: z
    .int()
    .min(1)
    .default(10_000)
    .describe('metric points in one request; more are sent as several'),
  queue: z
    .strictObject({
      max_batches: z.int().min(1).default(64).describe('requests that wait, at most'),
      max_bytes: size({ min: 1 })
        .default(16 * 1024 * 1024)
        .describe('bytes that wait, at most'),
    })
    .prefault({})
    .describe(
      'what is kept in memory, for each signal, while the endpoint is away; the oldest is ' +
        'dropped, counted',
    ),
  tls: Tls.prefault({}),
});
export type OtlpExporterConfig = z.output<typeof OtlpExporter>;

export const PrometheusExporter = z.strictObject({
  enabled: z.boolean().default(true).describe('whether metrics can be scraped at /metrics'),
  host: z.string().optional().describe('default OTEL_EXPORTER_PROMETHEUS_HOST, else 127.0.0.1'),
  port: z
    .int()
    .min(0)
    .max(65_535)
    .optional()
    .describe('0 takes any free port; default OTEL_EXPORTER_PROMETHEUS_PORT, else 9464'),
});
export type PrometheusConfig = z.output<typeof PrometheusExporter>;

export const Exporters = z.strictObject({
  otlp: z
    .record(z.string(), OtlpExporter)
    .superRefine((exporters, context) => {
      for (const [name, { enabled, endpoint }] of Object.entries(exporters)) {
        if (name === 'default' || !enabled || endpoint !== undefined) continue;
        const message = 'needs an endpoint: only the one named default may take it from OTEL_*';
        context.addIssue({ code: 'custom', path: [name], message, input: undefined });
      }
    })
    .transform(
      (exporters): Record<string, OtlpExporterConfig> => ({
        default: OtlpExporter.parse({}),
        ...exporters,
      }),
    )
    .prefault({})
    .describe('by name; the one named default is there unless it is disabled'),
  prometheus: PrometheusExporter.prefault({}).describe('scrape endpoint'),
});
export type ExportersConfig = z.output<typeof Exporters>;

/** The keys that every plugin has under `plugins.<name>`, beside its own. */
export const CommonPlugin = z.object({
  enabled: z.boolean().default(true).describe('whether the agent runs it'),
  strategy: z
    .string()
    .default('auto')
    .describe('auto: the first of config/kernel/<plugin>.yaml that this kernel can do'),
  metrics: z.record(z.string(), z.boolean()).default({}).describe('switches metrics on or off'),
});
export type CommonPluginConfig = z.output<typeof CommonPlugin>;

/** One plugin's slice: the common keys, and its own in `options`. */
export interface PluginConfig extends CommonPluginConfig {
  readonly options: Readonly<Record<string, unknown>>;
}

export const Agent = z.strictObject({
  interval: duration({ min: 100 }).default(10_000).describe('time between collections'),
  collect_timeout: duration({ min: 1 })
    .optional()
    .describe(
      'maximum time that a collection waits for one plugin; the part of a plugin that is late is ' +
        'left out, counted as missed, and published with the next collection. Default: 80% of interval',
    ),
  exporters: Exporters.prefault({}).describe('where everything goes'),
  resource: z
    .record(z.string(), z.string())
    .default({})
    .describe('attributes added to the resource; they win over those detected'),
  kernel: z
    .strictObject({
      btf: z.string().optional().describe('BTF file for a kernel without its own'),
      profiles: z
        .string()
        .optional()
        .describe('folder of the strategies; default: config/kernel of the program'),
    })
    .prefault({})
    .describe('facts about the running kernel'),
  log: z
    .strictObject({
      level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('on stderr'),
    })
    .prefault({})
    .describe("the agent's own log"),
  start_timeout: duration({ min: 100 })
    .default(10_000)
    .describe(
      'maximum time that one plugin may take to start; a plugin that takes longer has failed',
    ),
  shutdown_timeout: duration({ min: 100 })
    .default(8000)
    .describe(
      'maximum time of a whole stop: last collection, closing the plugins, last export. What is ' +
        'not done by then is dropped, counted. Container runtimes kill after 10s',
    ),
});

export interface AgentConfig extends z.output<typeof Agent> {
  readonly plugins: Readonly<Record<string, PluginConfig>>;
}

/** agent.yaml after checking, before plugins' keys are told apart. */
export interface RawAgent extends z.output<typeof Agent> {
  readonly plugins: Readonly<
    Record<string, CommonPluginConfig & Readonly<Record<string, unknown>>>
  >;
}

/** The schema of agent.yaml with these plugins; `strategies` lists a plugin's, where known. */
export function agentSchema(
  plugins: readonly PluginModule[],
  strategies: (plugin: string) => readonly string[] | undefined = () => undefined,
) {
  const slices = plugins.map(({ metadata }) => [
    metadata.name,
    pluginSchema(metadata, strategies(metadata.name)).prefault({}).describe(metadata.title),
  ]);
  const all: Record<string, ReturnType<typeof pluginSchema>> = Object.fromEntries(slices);
  return Agent.extend({
    plugins: z.strictObject(all).prefault({}).describe('what is watched'),
  }) as unknown as z.ZodType<RawAgent>;
}

function pluginSchema(
  { config, metrics, enabled: runs }: Metadata,
  strategies: readonly string[] | undefined,
) {
  const switches = Object.entries(metrics).map(([name, { description, enabled }]) => [
    name,
    z
      .boolean()
      .optional()
      .meta({ description, default: enabled !== false }),
  ]);
  const common: typeof CommonPlugin.shape = {
    ...CommonPlugin.shape,
    metrics: z
      .strictObject(Object.fromEntries(switches))
      .default({})
      .describe('switches metrics on or off') as unknown as typeof CommonPlugin.shape.metrics,
  };
  if (runs === false) {
    const { description = '' } = CommonPlugin.shape.enabled;
    common.enabled = z.boolean().default(false).describe(description);
  }
  if (strategies) {
    common.strategy = z
      .enum(['auto', ...strategies])
      .default('auto')
      .describe(CommonPlugin.shape.strategy.description ?? '') as unknown as typeof common.strategy;
  }
  const { enabled, strategy, metrics: metricSwitches } = common;
  // `extend` would refuse a configuration with refinements; so they are moved over by hand.
  return z
    .strictObject({ enabled, strategy, ...config.shape, metrics: metricSwitches })
    .check(...((config.def.checks ?? []) as z.core.$ZodCheck<object>[]));
}

/** Tells the keys that every plugin has from the plugin's own. */
export function toAgentConfig(raw: RawAgent): AgentConfig {
  const plugins = Object.entries(raw.plugins).map(
    ([name, { enabled, strategy, metrics, ...options }]): [string, PluginConfig] => [
      name,
      { enabled, strategy, metrics, options },
    ],
  );
  return { ...raw, plugins: Object.fromEntries(plugins) };
}
