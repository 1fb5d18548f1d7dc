/** Things that happened at a moment: OTLP log records with an `EventName`, and trace spans. */
import type { EventAttributes, Metadata, Severity, SpanAttributes } from '../metadata.js';
import type { PointAttributes } from './points.js';

export interface EventRecord {
  readonly plugin: string;
  /** The OTLP `EventName`. */
  readonly event: string;
  /** When it happened, Unix ms (fractions allowed). */
  readonly time: number;
  readonly severity: Severity;
  readonly attributes: PointAttributes;
  readonly body: string;
}

/** As W3C Trace Context has them: 32 and 16 lower-case hex digits. */
export interface SpanIds {
  readonly traceId: string;
  readonly spanId: string;
}

export interface SpanRecord {
  readonly plugin: string;
  readonly ids: SpanIds;
  readonly name: string;
  /** Unix ms, fractions allowed: the kernel's own begin and end. */
  readonly startTime: number;
  readonly endTime: number;
  readonly attributes: PointAttributes;
}

/**
 * Where a plugin's events and spans go. Never blocks and never throws; what is dropped is counted.
 * A span is a trace of its own: the kernel knows of no caller's. `span` returns its ids, for
 * exemplars, or undefined if nobody takes traces.
 */
export interface Emitter<M extends Metadata = Metadata> {
  event<N extends keyof M['events'] & string>(
    name: N,
    body: string,
    attributes: EventAttributes<M, N>,
    options?: { readonly time?: number; readonly severity?: Severity },
  ): void;
  span<N extends keyof M['spans'] & string>(
    name: N,
    span: Pick<SpanRecord, 'startTime' | 'endTime'> & { readonly attributes: SpanAttributes<M, N> },
  ): SpanIds | undefined;
}
