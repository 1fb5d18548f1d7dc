import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type MetricProducer,
  MetricReader,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';
import { describeError, MemWatcherError } from '../errors.js';
import { steadyNow } from '../identity/boot-moment.js';
import { countPoints } from './metric-reader.js';
import { http } from './node-http.js';
import { type ExporterOutcome, noOutcome } from './outcome.js';
import { prometheusText, type TextFormat } from './prometheus-text.js';
import type { PrometheusSettings } from './settings.js';

const CONTENT_TYPES: Readonly<Record<TextFormat, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** Serves the latest collection as text; a scrape never causes one. */
export class ScrapeReader extends MetricReader {
  readonly #endpoint: ScrapeEndpoint;
  readonly #lease: ScrapeLease;
  readonly #startTime = steadyNow();
  readonly #counts = noOutcome();
  #lastSuccess: number | undefined;
  #lastError: string | undefined;

  constructor(producer: MetricProducer, endpoint: ScrapeEndpoint) {
    super({ metricProducers: [producer], otelComponentType: 'mem-watcher.scrape_reader' });
    this.#endpoint = endpoint;
    this.#lease = endpoint.lease();
  }

  get outcome(): ExporterOutcome {
    return {
      exporter: 'prometheus',
      signal: 'metrics',
      endpoint: this.#endpoint.url,
      state: this.#lastSuccess === undefined ? 'idle' : 'ok',
      startTime: this.#startTime,
      ...this.#counts,
      queuedBatches: 0,
      queuedItems: 0,
      queuedBytes: 0,
      lastError: this.#lastError,
      lastSuccess: this.#lastSuccess,
    };
  }

  /** There is a collection: from now on, scrapes are answered from here. Again is harmless. */
  serve(): void {
    this.#lease.handler ??= (request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        this.#lastError = describeError(error);
        response.writeHead(500, { 'content-type': 'text/plain' }).end(`${this.#lastError}\n`);
      });
    };
  }

  protected async onForceFlush(): Promise<void> {}

  protected async onShutdown(): Promise<void> {
    await this.#endpoint.release(this.#lease);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split('?', 1)[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end();
    } else if (path === '/metrics') {
      const { resourceMetrics } = await this.collect();
      const format = formatFor(request);
      const text = prometheusText(resourceMetrics, format);
      this.#scraped(resourceMetrics);
      response.writeHead(200, { 'content-type': CONTENT_TYPES[format] });
      response.end(request.method === 'HEAD' ? undefined : text);
    } else if (path === '/healthz') {
      response.writeHead(200, { 'content-type': 'text/plain' }).end('ok\n');
    } else {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('see /metrics\n');
    }
  }

  #scraped(resourceMetrics: ResourceMetrics): void {
    this.#counts.sent += countPoints(resourceMetrics);
    this.#lastSuccess = Date.now();
  }
}

/** Who names OpenMetrics can read it, and gets the exemplars; Prometheus does by default. */
function formatFor({ headers }: IncomingMessage): TextFormat {
  const types = (headers.accept ?? '').split(',').map((type) => type.trim().toLowerCase());
  const named = types.some((type) => /^application\/openmetrics-text\s*(;|$)/.test(type));
  return named ? 'openmetrics' : 'prometheus';
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** One of those who share a port. */
export interface ScrapeLease {
  handler: Handler | undefined;
}

/**
 * A port that listens as long as someone holds a lease of it. The newest that can answer does, so
 * that a reload neither closes the port nor shows an empty page.
 */
export class ScrapeEndpoint {
  readonly #settings: PrometheusSettings;
  readonly #server: Server;
  #url = '';
  readonly #leases: ScrapeLease[] = [];

  private constructor(settings: PrometheusSettings) {
    this.#settings = settings;
    this.#server = http.createServer((request, response) => {
      const handler = this.#leases.findLast((lease) => lease.handler)?.handler;
      if (handler) handler(request, response);
      else response.writeHead(503, { 'content-type': 'text/plain' }).end('no collection yet\n');
    });
    this.#server.unref();
  }

  /** EXPORT_FAILED, naming the port and the key, if it cannot listen. */
  static async listen(settings: PrometheusSettings): Promise<ScrapeEndpoint> {
    const endpoint = new ScrapeEndpoint(settings);
    const { host, port } = settings;
    await new Promise<void>((resolve, reject) => {
      const server = endpoint.#server;
      server.on('error', (cause: NodeJS.ErrnoException) => reject(cannotListen(settings, cause)));
      server.listen({ host, port }, resolve);
    });
    const { address, port: bound, family } = endpoint.#server.address() as AddressInfo;
    endpoint.#url = `http://${family === 'IPv6' ? `[${address}]` : address}:${bound}/metrics`;
    return endpoint;
  }

  get url(): string {
    return this.#url;
  }

  /** This endpoint if it is still open and listens where `settings` says. */
  shareFor({ host, port }: PrometheusSettings): ScrapeEndpoint | undefined {
    const same = this.#settings.host === host && this.#settings.port === port;
    return same && this.#server.listening ? this : undefined;
  }

  lease(): ScrapeLease {
    const lease: ScrapeLease = { handler: undefined };
    this.#leases.push(lease);
    return lease;
  }

  /** Closes the port with the last lease. */
  async release(lease: ScrapeLease): Promise<void> {
    const index = this.#leases.indexOf(lease);
    if (index >= 0) this.#leases.splice(index, 1);
    if (this.#leases.length > 0 || !this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}

function cannotListen({ host, port }: PrometheusSettings, cause: NodeJS.ErrnoException) {
  const why =
    cause.code === 'EADDRINUSE' ? 'another program listens there' : (cause.code ?? cause.message);
  return new MemWatcherError(
    'EXPORT_FAILED',
    `the Prometheus endpoint cannot listen on ${host}, port ${port}: ${why}`,
    {
      hint: 'set exporters.prometheus.port to a free port, or exporters.prometheus.enabled to false',
      cause,
    },
  );
}
