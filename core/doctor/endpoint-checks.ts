import { createServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import { withoutCredentials } from '../config/credentials.js';
import type { ExportersConfig } from '../config/schema.js';
import { describeError, MemWatcherError } from '../errors.js';
import { HttpTransport } from '../telemetry/http-transport.js';
import {
  type Environment,
  type PrometheusSettings,
  resolveExporters,
  type SignalSettings,
} from '../telemetry/settings.js';
import type { Check } from './check.js';

/** Sends an empty export to every endpoint, as the agent would: same TLS, headers and encoding. */
export async function endpointChecks(
  config: ExportersConfig,
  env: Environment,
  version: string,
): Promise<Check[]> {
  const { signals, prometheus, warnings } = resolveExporters(config, env);
  const ignored = warnings.map((detail): Check => {
    return { check: 'environment', status: 'warn', value: 'ignored', detail };
  });
  const none: Check = {
    check: 'endpoint',
    status: 'skip',
    value: 'none configured',
    hint: 'set OTEL_EXPORTER_OTLP_ENDPOINT, or exporters.otlp.default.endpoint in the configuration',
  };
  const pushed = await Promise.all(
    signals.map((settings) => endpointCheck(settings, env, version)),
  );
  const scraped = prometheus === undefined ? [] : [await prometheusCheck(prometheus)];
  return [...ignored, ...(pushed.length > 0 ? pushed : [none]), ...scraped];
}

async function endpointCheck(
  settings: SignalSettings,
  env: Environment,
  version: string,
): Promise<Check> {
  const { exporter, signal, url, protocol, compression, timeout } = settings;
  const check = `endpoint.${exporter}.${signal}`;
  const target = withoutCredentials(url.href);
  // An empty protobuf message has no bytes.
  const body = protocol === 'http/json' ? Buffer.from('{}') : Buffer.alloc(0);
  let transport: HttpTransport;
  try {
    transport = new HttpTransport(settings, version, env);
  } catch (error) {
    const hint = error instanceof MemWatcherError ? error.hint : undefined;
    return { check, status: 'fail', value: target, detail: describeError(error), hint };
  }
  const began = performance.now();
  try {
    const bytes = compression === 'gzip' ? gzipSync(body) : body;
    const response = await transport.send(bytes, timeout);
    const value = `${target} in ${(performance.now() - began).toFixed(0)} ms`;
    if (response.status === 'success') return { check, status: 'ok', value };
    const error = 'error' in response ? response.error : undefined;
    const detail = error === undefined ? response.status : describeError(error);
    // An answer that asks to come again later is an endpoint that is there.
    const answered = /^HTTP \d/.test(detail);
    const again = response.status === 'retryable' && answered;
    return { check, status: again ? 'warn' : 'fail', value, detail, hint: hintFor(error, detail) };
  } finally {
    transport.shutdown();
  }
}

function hintFor(error: unknown, detail: string): string | undefined {
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  if (/^HTTP 40[13]/.test(detail)) return 'check the key or token in the exporter’s headers';
  if (/^HTTP 404/.test(detail)) return 'check the path: v1/metrics and so on are appended to it';
  if (/^HTTP 415/.test(detail)) return 'try the other protocol: http/protobuf or http/json';
  if (code === 'ECONNREFUSED') return 'nothing listens there; OTLP over HTTP is on port 4318';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'the name is not known to DNS';
  if (/^(DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|CERT_|ERR_TLS)/.test(code)) {
    return 'name the authority’s certificate in tls.ca_file';
  }
  if (/socket hang up|ECONNRESET/.test(detail)) {
    return 'this may be the gRPC port (4317); OTLP over HTTP is on 4318';
  }
  return undefined;
}

/** Whether the scrape endpoint's port is free. */
function prometheusCheck({ host, port }: PrometheusSettings): Promise<Check> {
  const check = 'prometheus';
  const value = `http://${host.includes(':') ? `[${host}]` : host}:${port}/metrics`;
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      resolve({
        check,
        status: taken ? 'warn' : 'fail',
        value,
        detail: taken ? 'the port is in use, perhaps by an agent that runs' : error.message,
        hint: 'exporters.prometheus.port in the configuration takes another',
      });
    });
    server.listen({ host, port, exclusive: true }, () => {
      server.close(() => resolve({ check, status: 'ok', value }));
    });
  });
}
