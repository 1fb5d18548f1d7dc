import type { Class, LeakKind } from '../model.js';

/** What one horizon of a stack says. */
export interface Finding {
  /** Absent while too little was seen. */
  readonly class?: Class;
  readonly confidence: number;
  /** Of a leak: enough to suspect it, or to confirm it. */
  readonly strength: 'none' | 'weak' | 'strong' | 'certain';
  /** Of a leak. */
  readonly kind?: LeakKind;
  /** Of a leak: seconds that it has grown. */
  readonly span?: number;
  /** Of the envelope of bytes, bytes an hour; absent before two windows ended. */
  readonly growth?: number;
  /** The course of growth speaks against a leak, on finer horizons too. */
  readonly contradicts?: boolean;
  /** It does not grow now, but has not rested for longer than between its rises before. */
  readonly paused?: boolean;
  /** Of a leak: a table that doubles, so that its rests get longer each time. */
  readonly doubling?: boolean;
  /** Seconds since the envelope rose. */
  readonly still: number;
  readonly reason: string;
}
