/** Sampling intervals: a step longer above the budget, a step shorter well below it. Pure. */
import { type Account, type BudgetConfig, percent } from './account.js';
import type { ProbeCost } from './probe-cost.js';
import { isHot } from './turns.js';

/**
 * The first step above every allocation, and the last: bytes. Blocks of 100 bytes are sampled one in
 * ten by the first, so that who is but a little over the budget still has the small leaks.
 */
export const FIRST_INTERVAL = 1024;
export const LAST_INTERVAL = 16 * 1024 * 1024;
/** Seconds between two steps up: the effect of the last has to be seen. */
const RAISE_AFTER = 3;
/** Above the budget by so many times, a step is a long one. */
const FAR = 2;
const LONG_STEP = 8;
/** Seconds below `CALM` of the budget, as it would be one step down, before that step. */
const LOWER_AFTER = 30;
const CALM = 0.5;
/** Where recording is a smaller part of all cost, recording less only makes the result worse. */
const MINOR = 0.1;
/** Who records at least one in so many of what the most do is sampled with them. */
const ALIKE = 2;

export interface Step {
  readonly account: Account;
  readonly sampling: number;
  readonly why: string;
}

export class Sampling {
  readonly #config: BudgetConfig;

  constructor(
    config: BudgetConfig,
    private readonly cost: () => ProbeCost,
  ) {
    this.#config = config;
  }

  /** Who are traced in turns are recorded as configured, as long as that is below the limit. */
  steps(time: number, accounts: Iterable<Account>): readonly Step[] {
    const { budget } = this.#config;
    if (budget === 0) return [];
    const all = [...accounts];
    const steady = all.filter((account) => !isHot(account));
    const share = steady.reduce((sum, account) => sum + account.share.total, 0);
    const limited = this.#belowLimit(time, all.filter(isHot));
    if (share <= budget) return [...limited, ...this.#lower(time, steady, share)];
    for (const account of steady) account.calmSince = undefined;
    return [...limited, ...this.#raise(time, steady, share)];
  }

  #belowLimit(time: number, hot: readonly Account[]): readonly Step[] {
    const { limit } = this.#config;
    if (limit === 0) return [];
    return hot.flatMap((account): Step[] => {
      const { total, recording } = account.share;
      const sampling = nextOf(account, total > FAR * limit);
      const isDue = total > limit && recording > total * MINOR && mayRaise(account, time);
      if (!isDue || sampling === account.sampling) return [];
      return [{ account, sampling, why: `above the limit of ${percent(limit)}` }];
    });
  }

  /** Who record the most, together, so that the others lose nothing by it. */
  #raise(time: number, steady: readonly Account[], share: number): readonly Step[] {
    const { budget } = this.#config;
    const recording = steady.reduce((sum, { share: of }) => sum + of.recording, 0);
    const isTooSoon = steady.some((account) => !mayRaise(account, time));
    if (isTooSoon || recording <= share * MINOR) return [];
    const able = steady.flatMap((account): Step[] => {
      const sampling = nextOf(account, share > FAR * budget);
      const why = `above the budget of ${percent(budget)}`;
      return sampling === account.sampling ? [] : [{ account, sampling, why }];
    });
    const most = Math.max(0, ...able.map(({ account }) => account.share.recording));
    return able.filter(
      ({ account: { share: of } }) => of.recording > 0 && of.recording >= most / ALIKE,
    );
  }

  #lower(time: number, steady: readonly Account[], share: number): readonly Step[] {
    const { sampling: first, budget } = this.#config;
    let lowest: Step | undefined;
    for (const account of steady) {
      if (account.sampling === first) continue;
      const half = account.sampling / 2;
      const next = half < Math.max(FIRST_INTERVAL, first) ? first : half;
      if (share + this.#extra(account, next) > budget * CALM) {
        account.calmSince = undefined;
        continue;
      }
      account.calmSince ??= time;
      if (time - account.calmSince < LOWER_AFTER) continue;
      if (lowest && lowest.account.sampling >= account.sampling) continue;
      lowest = { account, sampling: next, why: `well below the budget of ${percent(budget)}` };
    }
    return lowest ? [lowest] : [];
  }

  /** One step doubles what is recorded; the last, to every allocation, is every second hit. */
  #extra({ share: { total, recording } }: Account, next: number): number {
    if (next !== 0) return recording;
    const { hit, record } = this.cost();
    return ((total - recording) / hit / 2) * record - recording;
  }

  /** `share`: of one CPU, that all of it takes. What is said of it comes back. */
  apply({ account, sampling, why }: Step, time: number, share: number): string {
    account.sampling = sampling;
    account.changed = time;
    account.calmSince = sampling === this.#config.sampling ? undefined : time;
    // What recording costs now is another figure, to be learnt anew.
    const { total, recording } = account.share;
    account.share = { total: total - recording, recording: 0 };
    const what = sampling === 0 ? 'every allocation' : `one sample in ${sampling / 1024} KiB`;
    return `the probes take ${percent(share)} of a CPU, ${why}: ${what} of ${account.name} from now on`;
  }
}

const mayRaise = ({ changed }: Account, time: number) => time - changed >= RAISE_AFTER;

function nextOf({ sampling }: Account, isFar: boolean): number {
  if (sampling === 0) return FIRST_INTERVAL;
  return Math.max(sampling, Math.min(sampling * (isFar ? LONG_STEP : 2), LAST_INTERVAL));
}
