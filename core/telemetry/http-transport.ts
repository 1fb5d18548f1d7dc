import { readFileSync } from 'node:fs';
import type {
  Agent,
  IncomingHttpHeaders,
  IncomingMessage,
  OutgoingHttpHeaders,
  request,
} from 'node:http';
import type { AgentOptions } from 'node:https';
import type { ExportResponse, IExporterTransport } from '@opentelemetry/otlp-exporter-base';
import { describeError, MemWatcherError } from '../errors.js';
import { http, https } from './node-http.js';
import type { Environment, PemFile, SignalSettings, TlsSettings } from './settings.js';

const CONTENT_TYPES = {
  'http/protobuf': 'application/x-protobuf',
  'http/json': 'application/json',
};
/** OTLP/HTTP's own list; every other answer is for good. */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);
const MAX_RESPONSE_BYTES = 1024 * 1024;
const MAX_REASON_LENGTH = 200;

/**
 * One attempt to deliver one encoded (and already compressed) request by OTLP/HTTP. The timeout is
 * of the whole attempt, answer included. Repeating is the spool's business.
 */
export class HttpTransport implements IExporterTransport {
  readonly #settings: SignalSettings;
  readonly #headers: OutgoingHttpHeaders;
  readonly #agent: Agent;
  readonly #request: typeof request;
  readonly #closing = new AbortController();

  /** CONFIG_INVALID if a PEM file cannot be read. */
  constructor(settings: SignalSettings, version: string, env: Environment) {
    this.#settings = settings;
    const secure = settings.url.protocol === 'https:';
    // One connection: a signal's requests go one after the other.
    const options = { keepAlive: true, maxSockets: 1, proxyEnv: env };
    this.#agent = secure
      ? new https.Agent({ ...options, ...tlsOptions(settings.tls) })
      : new http.Agent(options);
    this.#request = secure ? https.request : http.request;
    this.#headers = {
      ...settings.headers,
      'user-agent': `mem-watcher/${version}`,
      'content-type': CONTENT_TYPES[settings.protocol],
      ...(settings.compression === 'gzip' && { 'content-encoding': 'gzip' }),
    };
  }

  send(data: Uint8Array, timeoutMillis: number): Promise<ExportResponse> {
    return new Promise((resolve) => {
      const retryable = (error: unknown) =>
        resolve({ status: 'retryable', error: networkError(error, timeoutMillis) });
      const request = this.#request(this.#settings.url, {
        method: 'POST',
        agent: this.#agent,
        headers: { ...this.#headers, 'content-length': data.byteLength },
        signal: AbortSignal.any([this.#closing.signal, AbortSignal.timeout(timeoutMillis)]),
      });
      request.on('error', retryable);
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size <= MAX_RESPONSE_BYTES) chunks.push(chunk);
        });
        response.on('error', retryable);
        response.on('end', () => resolve(judge(response, Buffer.concat(chunks))));
      });
      request.end(data);
    });
  }

  /** Breaks off an attempt under way. */
  shutdown(): void {
    this.#closing.abort(new Error('the exporter is closed'));
    this.#agent.destroy();
  }
}

function judge(response: IncomingMessage, body: Buffer): ExportResponse {
  const { statusCode = 0, statusMessage = '', headers } = response;
  if (statusCode >= 200 && statusCode < 300) return { status: 'success', data: body };
  const told = headers.location ? `redirects to ${headers.location}` : reason(headers, body);
  const error = new Error(`HTTP ${statusCode} ${statusMessage}${told && `: ${told}`}`);
  if (!RETRYABLE.has(statusCode)) return { status: 'failure', error };
  const wait = retryAfter(headers['retry-after']);
  return { status: 'retryable', error, ...(wait !== undefined && { retryInMillis: wait }) };
}

/** Seconds or an HTTP date → ms. */
function retryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return wait > 0 ? wait : undefined;
}

/** An OTLP error is a google.rpc.Status: in protobuf the text is what is printable of it. */
function reason(headers: IncomingHttpHeaders, body: Buffer): string {
  const text = body.toString('utf8');
  const binary = headers['content-type']?.startsWith('application/x-protobuf');
  const printable = binary ? (/[\x20-\x7e]{4,}/.exec(text)?.[0] ?? '') : text;
  return printable.trim().slice(0, MAX_REASON_LENGTH);
}

function networkError(error: unknown, timeoutMillis: number): Error {
  const reason = error instanceof Error && error.name === 'AbortError' ? error.cause : error;
  if (reason instanceof Error && reason.name === 'TimeoutError') {
    return new Error(`no answer within ${timeoutMillis} ms`);
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code.startsWith('HPE_')) {
    return new Error('what answers does not speak HTTP/1; OTLP/HTTP is on port 4318, gRPC on 4317');
  }
  return error instanceof Error && error.message ? error : new Error(describeError(error));
}

function tlsOptions({ ca, cert, key, skipVerify }: TlsSettings): AgentOptions {
  return {
    ...(ca && { ca: readPem(ca) }),
    ...(cert && { cert: readPem(cert) }),
    ...(key && { key: readPem(key) }),
    rejectUnauthorized: !skipVerify,
  };
}

function readPem({ path, from }: PemFile): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new MemWatcherError('CONFIG_INVALID', `${from} cannot be read`, { cause });
  }
}
