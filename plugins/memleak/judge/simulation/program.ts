import type { Random } from './random.js';
import type { Trace } from './trace.js';

/** What a program is drawn with. */
export interface Circumstances {
  readonly random: Random;
  /** Seconds that it is watched, from its start. */
  readonly length: number;
  /** Seconds: twelve windows, or the whole run if that is shorter. */
  readonly horizon: number;
}

/** A kind of program: what it allocates from one call stack. */
export interface Kind {
  readonly name: string;
  /** `unknowable`: within the run nothing tells it from the other; counted apart. */
  readonly truth: 'leak' | 'harmless' | 'unknowable';
  draw(circumstances: Circumstances): Trace;
}
