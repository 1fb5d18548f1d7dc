import type { ScopeMetrics } from '@opentelemetry/sdk-metrics';
import type { DeltaConverter } from './delta.js';
import { toScopeMetrics } from './metric-data.js';
import type { PointBatch } from './points.js';

/** One collection, converted once for all exporters that read it as cumulative. */
export class Snapshot {
  readonly batches: readonly PointBatch[];
  readonly #version: string;
  #cumulative: ScopeMetrics[] | undefined;

  constructor(batches: readonly PointBatch[], version: string) {
    this.batches = batches;
    this.#version = version;
  }

  cumulative(): ScopeMetrics[] {
    this.#cumulative ??= this.batches.map((batch) =>
      toScopeMetrics(batch, this.#version, 'cumulative'),
    );
    return this.#cumulative;
  }

  /** Advances `converter`: once a snapshot. */
  delta(converter: DeltaConverter): ScopeMetrics[] {
    return this.batches.map((batch) =>
      toScopeMetrics(converter.convert(batch), this.#version, 'delta'),
    );
  }
}
