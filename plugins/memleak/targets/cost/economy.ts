import type { Logger } from '../../../../core/logger.js';
import type { Activity, UserWatch } from '../../user/user-watch.js';
import { samplingInterval, type TargetsConfig } from '../config.js';
import type { Followed } from '../followed.js';
import { Budget, type Load } from './budget.js';
import type { ProbeCost } from './probe-cost.js';

/** Holds the budget against what the probes of all targets cost, and does what it decides. */
export class Economy {
  readonly #budget: Budget;
  readonly #first: number;
  readonly #before = new Map<string, Activity>();
  /** By target, and since when it is attached: what the kernel was told. */
  readonly #samplings = new Map<string, { readonly since: number; readonly interval: number }>();

  constructor(
    config: TargetsConfig,
    private readonly watch: Pick<UserWatch, 'setSampling'>,
    private readonly logger: Pick<Logger, 'info'>,
    cost: () => ProbeCost,
  ) {
    this.#first = samplingInterval(config);
    const { budget, limit } = config;
    this.#budget = new Budget({ budget, limit, sampling: this.#first }, cost);
  }

  /** Which targets are to be paused, each with the reason, and followed again, now. */
  weigh(
    time: number,
    activity: ReadonlyMap<number, Activity>,
    targets: ReadonlyMap<string, Followed>,
  ): { readonly leave: ReadonlyMap<Followed, string>; readonly resume: readonly Followed[] } {
    const decision = this.#budget.decide(time, this.#loads(activity, targets));
    for (const target of targets.values()) this.#sample(target);
    if (decision.said) this.logger.info({ share: decision.share }, decision.said);
    const leave = [...decision.leave].flatMap(([key, why]): [Followed, string][] => {
      const target = targets.get(key);
      return target ? [[target, why]] : [];
    });
    const resume = decision.resume.flatMap((key) => targets.get(key) ?? []);
    return { leave: new Map(leave), resume };
  }

  forget(key: string): void {
    this.#before.delete(key);
    this.#samplings.delete(key);
    this.#budget.forget(key);
  }

  /** For the status; undefined while all is as configured. */
  words(targets: ReadonlyMap<string, Followed>): string | undefined {
    const words: string[] = [];
    for (const { key, name, state, reason } of targets.values()) {
      const interval = this.#budget.samplingOf(key);
      if (state === 'left') {
        words.push(`${name}: ${reason}`);
      } else if (state === 'followed' && interval !== this.#first) {
        words.push(`one sample in ${interval / 1024} KiB of ${name}, to stay in the budget`);
      }
    }
    return words.join('; ') || undefined;
  }

  /** Who is attached anew begins with what is configured. */
  #sample({ key, process, state, attachedAt }: Followed): void {
    if (state !== 'followed') return;
    const interval = this.#budget.samplingOf(key);
    const told = this.#samplings.get(key);
    const before = told?.since === attachedAt ? told.interval : this.#first;
    if (interval !== before) this.watch.setSampling(interval, process);
    this.#samplings.set(key, { since: attachedAt, interval });
  }

  #loads(
    activity: ReadonlyMap<number, Activity>,
    targets: ReadonlyMap<string, Followed>,
  ): readonly Load[] {
    const loads: Load[] = [];
    for (const { key, process, state, stepped, name } of targets.values()) {
      if (state !== 'followed') {
        this.#before.delete(key);
        continue;
      }
      const now = activity.get(process.pid) ?? NONE;
      const before = this.#before.get(key) ?? NONE;
      this.#before.set(key, now);
      const recorded = Math.max(0, now.recorded - before.recorded);
      loads.push({ key, name, hits: Math.max(0, now.hits - before.hits), recorded, stepped });
    }
    return loads;
  }
}

const NONE: Activity = { hits: 0, recorded: 0 };
