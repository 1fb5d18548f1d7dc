import type { Logger } from '../../../core/logger.js';
import type { Activity, UserWatch } from '../user/user-watch.js';
import { Budget, type Load } from './budget.js';
import { samplingInterval, type TargetsConfig } from './config.js';
import type { Followed } from './followed.js';
import { probeCost } from './probe-cost.js';

/** Holds the budget against what the probes of all targets cost, and does what it decides. */
export class Economy {
  readonly #budget: Budget;
  readonly #first: number;
  readonly #before = new Map<string, Activity>();
  #sampling: number;

  constructor(
    config: TargetsConfig,
    private readonly watch: Pick<UserWatch, 'setSampling' | 'strategy'>,
    private readonly logger: Pick<Logger, 'info'>,
  ) {
    this.#first = samplingInterval(config);
    this.#sampling = this.#first;
    const { budget, limit } = config;
    this.#budget = new Budget({ budget, limit, sampling: this.#first }, probeCost(watch.strategy));
  }

  /** Which targets are to be left, and followed again, now. */
  weigh(
    time: number,
    activity: ReadonlyMap<number, Activity>,
    targets: ReadonlyMap<string, Followed>,
  ): { readonly leave: readonly Followed[]; readonly resume: readonly Followed[] } {
    const decision = this.#budget.decide(time, this.#loads(activity, targets));
    if (decision.sampling !== this.#sampling) {
      this.#sampling = decision.sampling;
      this.watch.setSampling(decision.sampling);
    }
    if (decision.said) this.logger.info({ share: decision.share }, decision.said);
    const those = (keys: readonly string[]) =>
      keys.map((key) => targets.get(key)).filter((target) => target !== undefined);
    return { leave: those(decision.leave), resume: those(decision.resume) };
  }

  forget(key: string): void {
    this.#before.delete(key);
    this.#budget.forget(key);
  }

  /** For the status; undefined while all is as configured. */
  words(targets: ReadonlyMap<string, Followed>): string | undefined {
    const left = [...targets.values()].filter(({ state }) => state === 'left');
    const words = left.map(
      ({ name }) => `${name} is not watched for a while, as it costs too much`,
    );
    if (this.#sampling !== this.#first) {
      words.push(`one sample in ${this.#sampling / 1024} KiB, to stay in the budget`);
    }
    return words.join('; ') || undefined;
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
