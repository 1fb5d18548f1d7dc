/** A real Jaeger: takes spans by OTLP over HTTP, keeps them in memory, answers its query API. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, until } from './collector.js';
import { type OtlpTracesLine, type Span, spansOf } from './otlp-json.js';
import { jaegerBinary } from './real-parts.js';

const READY_MS = 20_000;
const MAX_TRACES = 100_000;
const HOUR_MS = 3_600_000;

export interface JaegerOptions {
  /** A folder of this test's own. */
  readonly dir: string;
}

interface Ports {
  readonly otlp: number;
  readonly query: number;
  readonly grpc: number;
}

export class Jaeger {
  readonly #ports: Ports;
  readonly #process: ChildProcess;
  #log = '';

  private constructor(binary: string, ports: Ports, dir: string) {
    this.#ports = ports;
    const config = join(dir, 'jaeger.yaml');
    writeFileSync(config, jaegerConfig(ports));
    this.#process = spawn(binary, ['--config', config], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#process.stderr?.on('data', (data) => {
      this.#log += data;
    });
  }

  /** Resolves once both its receiver and its API answer. */
  static async start({ dir }: JaegerOptions): Promise<Jaeger> {
    const binary = await jaegerBinary();
    const ports = { otlp: await freePort(), query: await freePort(), grpc: await freePort() };
    const jaeger = new Jaeger(binary, ports, dir);
    try {
      await until(
        () => jaeger.#isReady(),
        READY_MS,
        () => `Jaeger did not start:\n${jaeger.#log}`,
      );
    } catch (error) {
      await jaeger.stop();
      throw error;
    }
    return jaeger;
  }

  /** Where spans go; a base URL. */
  get endpoint(): string {
    return `http://127.0.0.1:${this.#ports.otlp}`;
  }

  /** Those that spans have come from. */
  async services(): Promise<readonly string[]> {
    const { services = [] } = (await this.#get('/api/v3/services')) as { services?: string[] };
    return services;
  }

  /** Names of a service's spans. */
  async operations(service: string): Promise<readonly string[]> {
    const path = `/api/v3/operations?${new URLSearchParams({ service })}`;
    const { operations = [] } = (await this.#get(path)) as { operations?: { name: string }[] };
    return operations.map(({ name }) => name);
  }

  /** The spans of one trace; none if Jaeger does not know it. */
  async trace(traceId: string): Promise<Span[]> {
    return spansIn(await this.#get(`/api/v3/traces/${traceId}`, 404));
  }

  /** All spans of a service of the last hour, to the nanosecond. */
  async spans(service: string, operation?: string): Promise<Span[]> {
    const [from, to] = lastHour();
    const query = new URLSearchParams({
      'query.service_name': service,
      'query.start_time_min': from.toISOString(),
      'query.start_time_max': to.toISOString(),
      'query.num_traces': String(MAX_TRACES),
      ...(operation === undefined ? {} : { 'query.operation_name': operation }),
    });
    return spansIn(await this.#get(`/api/v3/traces?${query}`, 404));
  }

  /** Ids of the traces with a span that has these attributes, as its user interface searches. */
  async search(service: string, attributes: Readonly<Record<string, string>>): Promise<string[]> {
    const [from, to] = lastHour();
    const query = new URLSearchParams({
      service,
      start: `${from.getTime() * 1000}`,
      end: `${to.getTime() * 1000}`,
      limit: String(MAX_TRACES),
      tags: JSON.stringify(attributes),
    });
    const { data } = (await this.#get(`/api/traces?${query}`)) as { data: { traceID: string }[] };
    return data.map(({ traceID }) => traceID);
  }

  /** What its user interface is drawn from, as it stands. */
  page(traceId: string): Promise<unknown> {
    return this.#get(`/api/traces/${traceId}`);
  }

  /** At once: all that it has is in memory, and an orderly end takes it ten seconds. */
  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const closed = once(this.#process, 'close');
    this.#process.kill('SIGKILL');
    await closed;
  }

  async #isReady(): Promise<boolean> {
    if (this.#process.exitCode !== null) throw new Error(`Jaeger ended:\n${this.#log}`);
    try {
      await this.services();
      // An empty request is answered as any other.
      const response = await fetch(`${this.endpoint}/v1/traces`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{}',
      });
      return response.ok;
    } catch {
      return false;
    }
  }

  async #get(path: string, ...allowed: readonly number[]): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${this.#ports.query}${path}`);
    if (allowed.includes(response.status)) return {};
    const text = await response.text();
    if (!response.ok) throw new Error(`Jaeger answers ${path} with ${response.status}: ${text}`);
    return JSON.parse(text);
  }
}

const lastHour = (): readonly [Date, Date] => {
  const now = Date.now();
  return [new Date(now - HOUR_MS), new Date(now + HOUR_MS)];
};

/** Its answers are OTLP. */
const spansIn = (answer: unknown): Span[] => {
  const { result } = answer as { readonly result?: OtlpTracesLine };
  return result === undefined ? [] : spansOf(result);
};

/** JSON is YAML. docs/backends.md has the same by default ports. */
function jaegerConfig({ otlp, query, grpc }: Ports): string {
  const on = (port: number) => ({ endpoint: `127.0.0.1:${port}` });
  return JSON.stringify({
    extensions: {
      jaeger_storage: { backends: { memory: { memory: { max_traces: MAX_TRACES } } } },
      jaeger_query: { storage: { traces: 'memory' }, http: on(query), grpc: on(grpc) },
    },
    receivers: { otlp: { protocols: { http: on(otlp) } } },
    exporters: { jaeger_storage_exporter: { trace_storage: 'memory' } },
    service: {
      extensions: ['jaeger_storage', 'jaeger_query'],
      telemetry: { metrics: { level: 'none' } },
      pipelines: { traces: { receivers: ['otlp'], exporters: ['jaeger_storage_exporter'] } },
    },
  });
}
