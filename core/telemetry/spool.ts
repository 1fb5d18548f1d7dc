import type { ExportResponse, IExporterTransport } from '@opentelemetry/otlp-exporter-base';
import { describeError } from '../errors.js';
import type { Clock } from './clock.js';
import type { ExporterState } from './outcome.js';

/** One encoded request. */
export interface Batch {
  readonly bytes: Uint8Array;
  /** Points, records or spans in it. */
  readonly items: number;
}

/** What became of a batch; exactly one a batch. */
export type Fate =
  | { readonly kind: 'sent'; readonly response: Uint8Array | undefined }
  | { readonly kind: 'failed'; readonly error: Error }
  | { readonly kind: 'dropped'; readonly reason: string };

export interface SpoolOptions {
  readonly transport: IExporterTransport;
  /** Of one attempt, ms. */
  readonly timeout: number;
  readonly maxBatches: number;
  readonly maxBytes: number;
  readonly clock: Clock;
  /** 0 to 1; spreads the attempts of a fleet. Default Math.random. */
  readonly random?: () => number;
  readonly onFate: (batch: Batch, fate: Fate) => void;
  readonly onRetry?: (error: Error) => void;
}

const FIRST_BACKOFF = 1000;
const LAST_BACKOFF = 60_000;
/** Of a pause that the endpoint asks for; a timer beyond 24 days would fire at once. */
const LONGEST_ASKED = 3_600_000;
/** While someone waits for a flush. */
const FLUSH_BACKOFF = 250;
const FLUSH_TRIES = 4;

interface Waiter {
  readonly resolve: () => void;
  /** Failures in a row that end the wait. */
  readonly patience: number;
}

/**
 * A bounded queue in memory in front of one endpoint and one signal: sends in order, one at a time,
 * repeats what may be repeated with a growing pause, and drops the oldest when it is full. Every
 * batch has a fate, and it is told.
 */
export class Spool {
  readonly #options: SpoolOptions;
  readonly #queue: Batch[] = [];
  readonly #waiters: Waiter[] = [];
  #bytes = 0;
  #running = false;
  #inFlight: Batch | undefined;
  #state: ExporterState = 'idle';
  #failures = 0;
  #flushes = 0;
  #closed = false;
  #wake = new AbortController();

  constructor(options: SpoolOptions) {
    this.#options = options;
  }

  get state(): ExporterState {
    return this.#state;
  }

  /** Waiting or under way. */
  get queued(): { readonly batches: number; readonly items: number; readonly bytes: number } {
    const all = this.#inFlight ? [this.#inFlight, ...this.#queue] : this.#queue;
    return {
      batches: all.length,
      items: all.reduce((sum, { items }) => sum + items, 0),
      bytes: all.reduce((sum, { bytes }) => sum + bytes.byteLength, 0),
    };
  }

  push(batch: Batch): void {
    if (this.#closed) {
      this.#drop(batch, 'the exporter is closed');
      return;
    }
    this.#queue.push(batch);
    this.#bytes += batch.bytes.byteLength;
    this.#makeRoom();
    if (!this.#running && this.#queue.length > 0) void this.#run();
  }

  /**
   * Tries at once and often until everything has a fate or `signal` aborts. An endpoint that was
   * failing already gets a few tries and no more: nobody should wait for it at every stop.
   */
  async flush(signal: AbortSignal): Promise<void> {
    if (!this.#running || signal.aborted) return;
    this.#flushes++;
    this.#interruptPause();
    const failing = this.#state === 'failing';
    const patience = failing ? this.#failures + FLUSH_TRIES : Number.POSITIVE_INFINITY;
    await new Promise<void>((resolve) => {
      this.#waiters.push({ resolve, patience });
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#flushes--;
  }

  /** What still waits is dropped, and told; an attempt under way is broken off. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const batch of this.#queue.splice(0)) this.#drop(batch, 'the agent stopped');
    this.#bytes = 0;
    this.#interruptPause();
    this.#options.transport.shutdown();
    if (!this.#running) return;
    const patience = Number.POSITIVE_INFINITY;
    await new Promise<void>((resolve) => this.#waiters.push({ resolve, patience }));
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let batch = this.#take(); batch; batch = this.#take()) {
      this.#inFlight = batch;
      const response = await this.#attempt(batch);
      this.#inFlight = undefined;
      if (response.status !== 'retryable') {
        this.#settle(batch, response);
        continue;
      }
      this.#failed();
      this.#options.onRetry?.(response.error ?? new Error('the endpoint asked to retry'));
      this.#putBack(batch);
      for (const { resolve, patience } of this.#waiters) {
        if (this.#failures >= patience) resolve();
      }
      await this.#pause(response.retryInMillis);
    }
    this.#running = false;
    for (const { resolve } of this.#waiters.splice(0)) resolve();
  }

  async #attempt(batch: Batch): Promise<ExportResponse> {
    try {
      return await this.#options.transport.send(batch.bytes, this.#options.timeout);
    } catch (error) {
      return { status: 'failure', error: new Error(describeError(error)) };
    }
  }

  #settle(batch: Batch, response: Exclude<ExportResponse, { status: 'retryable' }>): void {
    if (response.status === 'success') {
      this.#state = 'ok';
      this.#failures = 0;
      this.#options.onFate(batch, { kind: 'sent', response: response.data });
    } else {
      this.#failed();
      this.#options.onFate(batch, { kind: 'failed', error: response.error });
    }
  }

  #failed(): void {
    this.#state = 'failing';
    this.#failures++;
  }

  #take(): Batch | undefined {
    const batch = this.#queue.shift();
    if (batch) this.#bytes -= batch.bytes.byteLength;
    return batch;
  }

  #putBack(batch: Batch): void {
    if (this.#closed) {
      this.#drop(batch, 'the agent stopped');
      return;
    }
    this.#queue.unshift(batch);
    this.#bytes += batch.bytes.byteLength;
    this.#makeRoom();
  }

  #makeRoom(): void {
    const { maxBatches, maxBytes } = this.#options;
    while (this.#queue.length > maxBatches || this.#bytes > maxBytes) {
      const oldest = this.#take();
      if (!oldest) return;
      this.#drop(oldest, 'the queue is full');
    }
  }

  #drop(batch: Batch, reason: string): void {
    this.#options.onFate(batch, { kind: 'dropped', reason });
  }

  async #pause(asked: number | undefined): Promise<void> {
    if (this.#closed) return;
    const { clock, random = Math.random } = this.#options;
    const growing = Math.min(FIRST_BACKOFF * 2 ** (this.#failures - 1), LAST_BACKOFF);
    const own = growing * (0.8 + 0.4 * random());
    const wait = asked === undefined ? own : Math.min(asked, LONGEST_ASKED);
    this.#wake = new AbortController();
    await clock.wait(this.#flushes > 0 ? Math.min(wait, FLUSH_BACKOFF) : wait, this.#wake.signal);
  }

  #interruptPause(): void {
    this.#wake.abort();
  }
}
