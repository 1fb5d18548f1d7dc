/** What really became of what was exported, counted where the answer arrives. */
import type { DeltaState } from './delta.js';

export type Signal = 'metrics' | 'logs' | 'traces';

/** `idle`: nothing was sent yet. `failing`: the last attempt was. */
export type ExporterState = 'idle' | 'ok' | 'failing';

/** One exporter and one signal. Items are metric points, log records or spans. */
export interface ExporterOutcome {
  /** The name under `exporters.otlp`, or `prometheus`. */
  readonly exporter: string;
  readonly signal: Signal;
  /** Without credentials; for display. */
  readonly endpoint: string;
  readonly state: ExporterState;
  /** When the counting began, Unix ms. */
  readonly startTime: number;
  /** Items that the endpoint accepted; for `prometheus`, that were scraped. */
  readonly sent: number;
  /** Items that the endpoint refused for good, whole requests. */
  readonly failed: number;
  /** Items that the endpoint refused within requests that it accepted (partial success). */
  readonly rejected: number;
  /** Items that never left: the queue was full, or the agent stopped. */
  readonly dropped: number;
  /** Attempts that failed and were, or will be, repeated. */
  readonly retried: number;
  /** Requests that wait, and the items and bytes in them. */
  readonly queuedBatches: number;
  readonly queuedItems: number;
  readonly queuedBytes: number;
  readonly lastError: string | undefined;
  /** Unix ms. */
  readonly lastSuccess: number | undefined;
  /** By plugin, of metrics that are sent as delta. */
  readonly delta?: readonly DeltaState[];
}

/** The counters that grow; the rest is asked of the queue. */
export interface OutcomeCounts {
  sent: number;
  failed: number;
  rejected: number;
  dropped: number;
  retried: number;
}

export const noOutcome = (): OutcomeCounts => ({
  sent: 0,
  failed: 0,
  rejected: 0,
  dropped: 0,
  retried: 0,
});
