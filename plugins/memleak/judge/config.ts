import * as z from 'zod';
import { duration } from '../../../core/config/units.js';
import { JUDGE_DEFAULTS, type JudgeOptions } from './options.js';

/** `plugins.memleak.judging` in the YAML. */
export const judgingConfig = z
  .strictObject({
    window: duration({ min: 100 })
      .default(JUDGE_DEFAULTS.window * 1000)
      .describe('the finest window: what leaks for four is suspected, for nine confirmed'),
    horizons: z
      .int()
      .min(1)
      .max(8)
      .default(JUDGE_DEFAULTS.horizons)
      .describe('horizons of 12 windows, each four times the one before, for what leaks slowly'),
    min_coverage: z
      .number()
      .min(0)
      .max(1)
      .default(JUDGE_DEFAULTS.minCoverage)
      .describe(
        'share of allocations and frees; below it growth only suspects, nothing is called harmless, and a state is left only on evidence',
      ),
    suspect_windows: z
      .int()
      .min(2)
      .max(12)
      .default(JUDGE_DEFAULTS.suspectWindows)
      .describe('windows that growth lasts before a stack is suspected'),
    confirm_windows: z
      .int()
      .min(3)
      .max(12)
      .default(JUDGE_DEFAULTS.confirmWindows)
      .describe('windows that growth lasts before a leak is confirmed'),
    min_rises: z
      .int()
      .min(2)
      .max(20)
      .default(JUDGE_DEFAULTS.minRises)
      .describe(
        'half windows in which the floor rises before a leak is confirmed, two thirds of them before it is suspected; half as many again for bytes in the same allocations and queues; a buffer that grows by a factor counts as many rises as its first step fits into its growth',
      ),
    max_drawdown: z
      .number()
      .min(0)
      .max(1)
      .default(JUDGE_DEFAULTS.maxDrawdown)
      .describe('share of its growth that the floor may give back in between'),
    max_concavity: z
      .number()
      .min(0)
      .max(1)
      .default(JUDGE_DEFAULTS.maxConcavity)
      .describe('how far growth may be ahead of a straight line: what levels off is ahead of it'),
    max_overdue: z
      .number()
      .min(0)
      .max(1)
      .default(JUDGE_DEFAULTS.maxOverdue)
      .describe('share of its growth by which the next rise may be overdue'),
    min_survival: z
      .number()
      .min(0)
      .max(1)
      .default(JUDGE_DEFAULTS.minSurvival)
      .describe('share of what has grown that must be found alive among old allocations'),
    fill_time: duration({ min: 0 })
      .default(JUDGE_DEFAULTS.fillTime * 1000)
      .describe(
        'how long what is still referenced must grow to be called a leak, and not a cache that fills',
      ),
    resolve_windows: z
      .int()
      .min(1)
      .max(12)
      .default(JUDGE_DEFAULTS.resolveWindows)
      .describe('windows in a row that speak against it before a confirmed leak is resolved'),
  })
  .prefault({})
  .describe('when a stack is said to leak');

export type JudgingConfig = z.output<typeof judgingConfig>;

/** What the YAML says, as the judge takes it. */
export function judgeOptionsOf(config: JudgingConfig): JudgeOptions {
  return {
    window: config.window / 1000,
    horizons: config.horizons,
    minCoverage: config.min_coverage,
    suspectWindows: config.suspect_windows,
    confirmWindows: config.confirm_windows,
    minRises: config.min_rises,
    maxDrawdown: config.max_drawdown,
    maxConcavity: config.max_concavity,
    maxOverdue: config.max_overdue,
    minSurvival: config.min_survival,
    fillTime: config.fill_time / 1000,
    resolveWindows: config.resolve_windows,
  };
}
