import {
  createServer,
  type IncomingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createSecureServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { type Decoded, decode, logsRequest, metricsRequest, tracesRequest } from './wire.js';

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Decompressed. */
  readonly body: Buffer;
  /** Protobuf only. */
  readonly request: Decoded;
}

export type Answer = (response: ServerResponse, received: Received) => void;

const REQUESTS = {
  '/v1/metrics': metricsRequest,
  '/v1/logs': logsRequest,
  '/v1/traces': tracesRequest,
} as const;

export const accept: Answer = (response) => {
  response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
};

export const refuse =
  (status: number, text = '', headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end(text);

/** An OTLP endpoint for tests: real HTTP, what it answers is the test's choice. */
export class FakeEndpoint {
  readonly received: Received[] = [];
  answer: Answer = accept;
  readonly #server: Server;
  readonly #scheme: string;

  constructor(tls?: ServerOptions) {
    this.#scheme = tls ? 'https' : 'http';
    const listener: Parameters<typeof createServer>[1] = (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const raw = Buffer.concat(chunks);
        const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
        const path = request.url ?? '';
        const json = request.headers['content-type'] === 'application/json';
        const description = REQUESTS[path as keyof typeof REQUESTS];
        const decoded = json || !description ? {} : decode(body, description);
        const received = { path, headers: request.headers, body, request: decoded };
        this.received.push(received);
        this.answer(response, received);
      });
    };
    this.#server = tls ? createSecureServer(tls, listener) : createServer(listener);
  }

  async listen(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}`;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}
