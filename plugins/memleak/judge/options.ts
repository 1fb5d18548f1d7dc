/** What the judge goes by. The defaults hold the bar on the simulation and the corpus. */
export interface JudgeOptions {
  /**
   * Seconds: the finest window. A leak is suspected after `suspectWindows` of them and confirmed
   * after `confirmWindows`; twelve are a horizon. Coarser horizons, each four times as long, are
   * kept beside it, so that what is too slow for the finest is found by a coarser one.
   */
  readonly window: number;
  /** Horizons, each four times the one before: with five and 5 min, 1 h to 10 days. */
  readonly horizons: number;
  /** 0 to 1: with less coverage only what was recorded counts (`known.ts`). */
  readonly minCoverage: number;
  /** Windows that growth must last before a stack is suspected. */
  readonly suspectWindows: number;
  /** Windows that growth must last before a leak is confirmed. */
  readonly confirmWindows: number;
  /**
   * Half windows in which the floor must rise before a leak is confirmed; two thirds of them before it
   * is suspected. Of bytes in the same allocations, and of queues, half as many again. A table that
   * grows by a factor counts as its first step fits into its growth (`countedRises`).
   */
  readonly minRises: number;
  /** How much of the growth the floor may give back in between. */
  readonly maxDrawdown: number;
  /**
   * How far the course of growth may lie above the straight line in the mean, as a share of all
   * growth: what fills and levels off lies above it. 0.06 is a cache at half of its capacity.
   */
  readonly maxConcavity: number;
  /** By how much of all growth the next rise may be overdue. */
  readonly maxOverdue: number;
  /** The share of what a growth claims that must be found alive among the old allocations. */
  readonly minSurvival: number;
  /**
   * Seconds that memory of a process must grow before it is called a leak while something still points
   * to it; as long as the process was old before, if that is more. What has been filling for a time may
   * plausibly fill for as long again.
   */
  readonly fillTime: number;
  /** Windows in a row that speak against it before a confirmed leak is resolved. */
  readonly resolveWindows: number;
}

export const JUDGE_DEFAULTS: JudgeOptions = {
  window: 300,
  horizons: 5,
  minCoverage: 0.5,
  suspectWindows: 4,
  confirmWindows: 9,
  minRises: 6,
  maxDrawdown: 0.34,
  maxConcavity: 0.05,
  maxOverdue: 0.05,
  minSurvival: 0.8,
  fillTime: 3600,
  resolveWindows: 1,
};

/** Of a run of `duration` seconds, so that it gives verdicts of its own. */
export const windowOfRun = (duration: number): number => duration / 12;
