/**
 * What a probe costs, CPU seconds, by strategy: measured by `npm run bench`, in rounded-up figures
 * (docs/decisions/0082). What is compared with them is a share that the user has chosen, for which
 * the order of magnitude is enough; a host that is slower is asked for it by its own clock.
 */
export interface ProbeCost {
  /** One hit at an instruction that the kernel emulates, without what is recorded of it. */
  readonly hit: number;
  /** One hit at an instruction that has to be single-stepped. */
  readonly steppedHit: number;
  /** To record an allocation: its stack, and its place in the tables. */
  readonly record: number;
}

const COSTS: Readonly<Record<string, ProbeCost>> = {
  session: { hit: 0.8e-6, steppedHit: 10e-6, record: 2e-6 },
  multi: { hit: 0.9e-6, steppedHit: 10e-6, record: 2e-6 },
  perf: { hit: 1.1e-6, steppedHit: 11e-6, record: 2.5e-6 },
};

export const probeCost = (strategy: string): ProbeCost =>
  COSTS[strategy] ?? { hit: 1.1e-6, steppedHit: 11e-6, record: 2.5e-6 };
