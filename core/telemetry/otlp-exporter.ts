import { promisify } from 'node:util';
import { gzip as gzipCallback, type ZlibOptions } from 'node:zlib';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import type { ExporterMetrics, IOtlpExportDelegate } from '@opentelemetry/otlp-exporter-base';
import type { ISerializer } from '@opentelemetry/otlp-transformer';
import { describeError } from '../errors.js';
import type { Logger } from '../logger.js';
import type { Clock } from './clock.js';
import { HttpTransport } from './http-transport.js';
import { type ExporterOutcome, noOutcome } from './outcome.js';
import type { Environment, SignalSettings } from './settings.js';
import { type Batch, type Fate, Spool } from './spool.js';
import { StateLog } from './state-log.js';

const gzip = promisify<Uint8Array, ZlibOptions, Buffer>(gzipCallback);

/** Level 6 takes more than twice the CPU of 1 for a tenth fewer bytes (bench/export.bench.ts). */
const GZIP_LEVEL = 1;
/** One piece of output is one trip to the thread pool. */
const GZIP_CHUNK = 256 * 1024;

/** How one signal is written, and what its endpoint may answer. */
export interface Encoding<Items> {
  readonly serializer: ISerializer<Items, PartialSuccess>;
  readonly count: (items: Items) => number;
}

/** The answers of all three signals; each has one of the counts. */
export interface PartialSuccess {
  readonly partialSuccess?: {
    readonly rejectedDataPoints?: number;
    readonly rejectedLogRecords?: number;
    readonly rejectedSpans?: number;
    readonly errorMessage?: string;
  };
}

export interface DelegateContext {
  readonly version: string;
  /** For the proxy variables. */
  readonly env: Environment;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * What stands behind the SDK's OTLP exporters here, in the place of the SDK's own delegate: that one
 * gives a request up after five tries and only logs what was refused. This one encodes and
 * compresses once, hands the bytes to the spool, and calls back when their fate is known.
 */
export class SpoolDelegate<Items> implements IOtlpExportDelegate<Items> {
  readonly #settings: SignalSettings;
  readonly #encoding: Encoding<Items>;
  readonly #clock: Clock;
  readonly #spool: Spool;
  readonly #state: StateLog;
  readonly #counts = noOutcome();
  readonly #callbacks = new Map<Batch, (result: ExportResult) => void>();
  /** Compression is asynchronous: this keeps the order. */
  #enqueueing: Promise<void> = Promise.resolve();
  readonly #startTime: number;
  #closed = false;
  #lastError: string | undefined;
  #lastSuccess: number | undefined;

  constructor(settings: SignalSettings, encoding: Encoding<Items>, context: DelegateContext) {
    const { version, env, clock, logger } = context;
    this.#settings = settings;
    this.#encoding = encoding;
    this.#clock = clock;
    this.#startTime = clock.steady();
    this.#state = new StateLog({ settings, logger, clock });
    this.#spool = new Spool({
      transport: new HttpTransport(settings, version, env),
      timeout: settings.timeout,
      maxBatches: settings.maxBatches,
      maxBytes: settings.maxBytes,
      clock,
      onFate: (batch, fate) => this.#settle(batch, fate),
      onRetry: (error) => {
        this.#counts.retried++;
        this.#failing(error);
      },
    });
  }

  get outcome(): ExporterOutcome {
    const { exporter, signal } = this.#settings;
    const { batches, items, bytes } = this.#spool.queued;
    return {
      exporter,
      signal,
      endpoint: this.#state.endpoint,
      state: this.#spool.state,
      startTime: this.#startTime,
      ...this.#counts,
      queuedBatches: batches,
      queuedItems: items,
      queuedBytes: bytes,
      lastError: this.#lastError,
      lastSuccess: this.#lastSuccess,
    };
  }

  /** Calls back once the endpoint took or refused the items, or they were dropped. Never throws. */
  export(items: Items, resultCallback: (result: ExportResult) => void): void {
    const { serializer, count } = this.#encoding;
    const number = count(items);
    try {
      const bytes = serializer.serializeRequest(items);
      if (!bytes) throw new Error('nothing to send');
      this.#enqueueing = this.#enqueueing.then(() => this.#enqueue(bytes, number, resultCallback));
    } catch (error) {
      this.#lose(number, error, resultCallback);
    }
  }

  /** Resolves when everything has a fate, or when `signal` aborts. */
  async flush(signal: AbortSignal): Promise<void> {
    await this.#enqueueing;
    await this.#spool.flush(signal);
  }

  async forceFlush(): Promise<void> {
    await this.flush(AbortSignal.timeout(this.#settings.timeout));
  }

  /** Drops what still waits. Twice is harmless. */
  async shutdown(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#enqueueing;
    await this.#spool.close();
    this.#state.closed(this.#counts);
  }

  /** The SDK's metrics of its exporters: ours say more (self.metadata.ts). */
  setMetrics(_metrics: ExporterMetrics<Items>): void {}

  async #enqueue(
    bytes: Uint8Array,
    items: number,
    callback: (result: ExportResult) => void,
  ): Promise<void> {
    try {
      const compressed = this.#settings.compression === 'gzip';
      const options = { level: GZIP_LEVEL, chunkSize: GZIP_CHUNK };
      const body = compressed ? await gzip(bytes, options) : bytes;
      const batch = { bytes: body, items };
      this.#callbacks.set(batch, callback);
      this.#spool.push(batch);
    } catch (error) {
      this.#lose(items, error, callback);
    }
  }

  #lose(items: number, error: unknown, callback: (result: ExportResult) => void): void {
    this.#counts.failed += items;
    const told = error instanceof Error ? error : new Error(describeError(error));
    this.#failing(told);
    callback({ code: ExportResultCode.FAILED, error: told });
  }

  #settle(batch: Batch, fate: Fate): void {
    const callback = this.#callbacks.get(batch);
    this.#callbacks.delete(batch);
    if (fate.kind === 'sent') {
      const rejected = Math.min(this.#rejected(fate.response), batch.items);
      this.#counts.rejected += rejected;
      this.#counts.sent += batch.items - rejected;
      this.#lastSuccess = this.#clock.now();
      this.#state.working(this.#counts);
      callback?.({ code: ExportResultCode.SUCCESS });
      return;
    }
    this.#counts[fate.kind] += batch.items;
    const error = fate.kind === 'failed' ? fate.error : new Error(fate.reason);
    if (fate.kind === 'failed') this.#failing(error);
    callback?.({ code: ExportResultCode.FAILED, error });
  }

  #failing(error: Error): void {
    this.#lastError = describeError(error);
    this.#state.failing(this.#lastError, this.#counts);
  }

  /** Items refused within an accepted request. An answer that cannot be read refuses nothing. */
  #rejected(response: Uint8Array | undefined): number {
    if (!response?.byteLength) return 0;
    try {
      const { partialSuccess } = this.#encoding.serializer.deserializeResponse(response);
      if (!partialSuccess) return 0;
      const { rejectedDataPoints, rejectedLogRecords, rejectedSpans, errorMessage } =
        partialSuccess;
      const rejected = Number(rejectedDataPoints ?? rejectedLogRecords ?? rejectedSpans ?? 0);
      if (errorMessage) this.#lastError = errorMessage;
      if (rejected > 0) this.#state.rejecting(errorMessage ?? 'no reason given');
      return rejected;
    } catch {
      return 0;
    }
  }
}
