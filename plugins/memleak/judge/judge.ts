/** Which stacks leak: pure, so that it can be tested on any series of readings. */
import type { Coverage, Judgement, Reading } from '../model.js';

/** What the judge may know besides the stack's own readings. */
export interface Surroundings {
  readonly coverage: Coverage;
  /** RssAnon of the process and its outstanding bytes over all stacks; absent if unknown. */
  readonly rssAnon?: number;
  readonly outstandingBytes: number;
  /** Of the process, seconds; absent of the kernel. */
  readonly age?: number;
}

export interface Change {
  readonly key: string;
  readonly before: Judgement;
  readonly after: Judgement;
}

export interface Judge {
  /**
   * Takes a stack's reading at `time` (seconds, monotonic; readings come in order). Cheap: called
   * for every stack once a collection.
   */
  observe(reading: Reading, time: number, surroundings: Surroundings): void;
  /** Ends the round: what changed its state. `now` is Unix ms. */
  conclude(time: number, now: number): readonly Change[];
  judgement(key: string): Judgement | undefined;
  /** A stack that is gone, or no longer watched: what was held of it is held no more, and none told. */
  forget(key: string): void;
  /** As `forget`, but if the stack of the same process is seen again, it goes on where it was. */
  pause(key: string): void;
}
