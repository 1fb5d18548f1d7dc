import type { AttributesFor } from '../../core/metadata.js';
import type { ProcstatMetadata } from './metadata.js';
import type { Activity, Memory, Process } from './process.js';

export type WhoseAttributes = AttributesFor<
  ProcstatMetadata,
  ProcstatMetadata['metrics']['process.memory.usage']['attributes'][number]
>;

/** One process, a group of them, or all others. */
export interface ProcstatSeries {
  readonly attributes: WhoseAttributes;
  /** Processes in it. */
  readonly members: number;
  /** The process, where it is one. */
  readonly process: Process | undefined;
  readonly memory: Memory;
  readonly activity: Activity;
  /** Unix ms: since when `activity` counts. */
  readonly startTime: number;
}

/** One collection: what `collect` gives, and `report` and the view read. */
export interface ProcstatSnapshot {
  /** Largest first; `other`, if there is one, at the end. */
  readonly series: readonly ProcstatSeries[];
  /** Processes with memory of their own on the host; those that filters left out included. */
  readonly processes: number;
}
