/** A real OpenTelemetry Collector: receives OTLP over HTTP, writes what it got to a file. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Metric, metricsOf, type OtlpMetricsLine } from './otlp-json.js';
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

interface Pipeline {
  readonly port: number;
  readonly file: string;
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
      pipelines.set(name, { port: port ?? (await freePort()), file: join(dir, `${name}.json`) });
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

  /** Everything that it has written so far, one entry a data point. */
  metrics(pipeline = ONLY): Metric[] {
    const { file } = this.#pipeline(pipeline);
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, 'utf8').split('\n');
    // The last line may be half written.
    return lines.slice(0, -1).flatMap((line) => metricsOf(JSON.parse(line) as OtlpMetricsLine));
  }

  /** Waits until what it has written satisfies `enough`. */
  async received(enough: (metrics: Metric[]) => boolean, timeoutMs = 60_000): Promise<Metric[]> {
    let metrics: Metric[] = [];
    await until(
      () => {
        metrics = this.metrics();
        return enough(metrics);
      },
      timeoutMs,
      () => {
        const names = [...new Set(metrics.map((metric) => metric.name))].join(', ');
        return `waited in vain; the Collector has: ${names || 'nothing'}\n${this.#log}`;
      },
    );
    return metrics;
  }

  /** SIGTERM flushes the file; SIGKILL is how a Collector dies. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const closed = once(this.#process, 'close');
    this.#process.kill(signal);
    await closed;
  }

  #pipeline(name: string): Pipeline {
    const pipeline = this.#pipelines.get(name);
    if (pipeline === undefined) throw new Error(`this Collector has no pipeline ${name}`);
    return pipeline;
  }
}

/** JSON is YAML. */
function collectorConfig(pipelines: ReadonlyMap<string, Pipeline>): string {
  const byName = <T>(kind: string, make: (pipeline: Pipeline, name: string) => T) =>
    Object.fromEntries(
      [...pipelines].map(([name, pipeline]) => [`${kind}/${name}`, make(pipeline, name)]),
    );
  return JSON.stringify({
    receivers: byName('otlp', ({ port }) => ({
      protocols: { http: { endpoint: `127.0.0.1:${port}` } },
    })),
    exporters: byName('file', ({ file }) => ({
      path: file,
      append: true,
      flush_interval: '100ms',
    })),
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: byName('metrics', (_, name) => ({
        receivers: [`otlp/${name}`],
        exporters: [`file/${name}`],
      })),
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
