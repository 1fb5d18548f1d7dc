/** A real OpenTelemetry Collector: receives OTLP over HTTP, writes what it got to a file. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Log,
  logsOf,
  type Metric,
  metricsOf,
  type OtlpLogsLine,
  type OtlpMetricsLine,
  type OtlpTracesLine,
  type Span,
  spansOf,
} from './otlp-json.js';
import { collectorBinary } from './real-parts.js';

const READY_MS = 20_000;
const POLL_MS = 50;
const ONLY = 'metrics';

export interface CollectorOptions {
  /** A folder of this test's own. */
  readonly dir: string;
  /** Receivers by name, each with a port and a file of its own; default one. */
  readonly pipelines?: readonly string[];
  /** Fixed when a Collector has to come back at the same place. */
  readonly port?: number;
}

type Signal = 'metrics' | 'logs' | 'traces';
const SIGNALS: readonly Signal[] = ['metrics', 'logs', 'traces'];

interface Pipeline {
  readonly port: number;
  readonly file: (signal: Signal) => string;
}

export class Collector {
  readonly #pipelines: ReadonlyMap<string, Pipeline>;
  readonly #process: ChildProcess;
  #log = '';

  private constructor(binary: string, pipelines: ReadonlyMap<string, Pipeline>, dir: string) {
    this.#pipelines = pipelines;
    const config = join(dir, 'collector.yaml');
    writeFileSync(config, collectorConfig(pipelines));
    this.#process = spawn(binary, ['--config', config], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#process.stderr?.on('data', (data) => {
      this.#log += data;
    });
  }

  /** Resolves once it listens. */
  static async start(options: CollectorOptions): Promise<Collector> {
    const { dir, pipelines: names = [ONLY], port } = options;
    const pipelines = new Map<string, Pipeline>();
    for (const name of names) {
      pipelines.set(name, {
        port: port ?? (await freePort()),
        file: (signal) => join(dir, `${name}.${signal}.json`),
      });
    }
    const collector = new Collector(await collectorBinary(), pipelines, dir);
    await until(
      () => collector.#log.includes('Everything is ready'),
      READY_MS,
      () => `the Collector did not start:\n${collector.#log}`,
    );
    return collector;
  }

  port(pipeline = ONLY): number {
    return this.#pipeline(pipeline).port;
  }

  endpoint(pipeline = ONLY): string {
    return `http://127.0.0.1:${this.port(pipeline)}`;
  }

  /** Every data point that it has written so far. */
  metrics(pipeline = ONLY): Metric[] {
    return this.#lines(pipeline, 'metrics').flatMap((line) => metricsOf(line as OtlpMetricsLine));
  }

  /** Every log record that it has written so far. */
  logs(pipeline = ONLY): Log[] {
    return this.#lines(pipeline, 'logs').flatMap((line) => logsOf(line as OtlpLogsLine));
  }

  /** Every span that it has written so far. */
  spans(pipeline = ONLY): Span[] {
    return this.#lines(pipeline, 'traces').flatMap((line) => spansOf(line as OtlpTracesLine));
  }

  /** SIGTERM flushes the file; SIGKILL is how a Collector dies. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const closed = once(this.#process, 'close');
    this.#process.kill(signal);
    await closed;
  }

  #lines(pipeline: string, signal: Signal): unknown[] {
    const file = this.#pipeline(pipeline).file(signal);
    if (!existsSync(file)) return [];
    // The last line may be half written.
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as unknown);
  }

  #pipeline(name: string): Pipeline {
    const pipeline = this.#pipelines.get(name);
    if (pipeline === undefined) throw new Error(`this Collector has no pipeline ${name}`);
    return pipeline;
  }
}

/** JSON is YAML. */
function collectorConfig(pipelines: ReadonlyMap<string, Pipeline>): string {
  const all = [...pipelines];
  const bySignal = <T>(make: (name: string, pipeline: Pipeline, signal: Signal) => [string, T]) =>
    Object.fromEntries(
      all.flatMap(([name, pipeline]) => SIGNALS.map((signal) => make(name, pipeline, signal))),
    );
  return JSON.stringify({
    receivers: Object.fromEntries(
      all.map(([name, { port }]) => [
        `otlp/${name}`,
        { protocols: { http: { endpoint: `127.0.0.1:${port}` } } },
      ]),
    ),
    exporters: bySignal((name, { file }, signal) => [
      `file/${name}.${signal}`,
      { path: file(signal), append: true, flush_interval: '100ms' },
    ]),
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: bySignal((name, _, signal) => [
        `${signal}/${name}`,
        { receivers: [`otlp/${name}`], exporters: [`file/${name}.${signal}`] },
      ]),
    },
  });
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

export async function until(
  holds: () => boolean | Promise<boolean>,
  timeoutMs: number,
  complaint: () => string,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(complaint());
    await sleep(POLL_MS);
  }
}
