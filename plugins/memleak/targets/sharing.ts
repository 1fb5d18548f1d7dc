/**
 * When targets share their links. The kernel asks every link of a function at each hit, so links of their
 * own make each target dearer the more there are. A link for all processes costs a target the same
 * however many there are, and everybody else a hit a call: it is used where others seldom call.
 */
import type { Logger } from '../../../core/logger.js';
import type { UserWatch } from '../user/user-watch.js';
import type { ProbeCost } from './cost/probe-cost.js';
import type { Group } from './links.js';
import type { PlanOptions } from './plan.js';

export interface SharingOptions {
  readonly watch: Pick<UserWatch, 'strangerHits' | 'strategy'>;
  /** Share of one CPU that others may be made to pay. */
  readonly allowance: number;
  readonly cost: () => ProbeCost;
  readonly logger: Pick<Logger, 'info'>;
}

/** Targets from which on they share. */
const MANY = 2;
/** Seconds with fewer before each has its own again. */
const FEW_FOR = 60;
/** Looks in a row at which others paid too much. */
const PATIENCE = 2;
/** Seconds before it is tried again, the first time and at most. */
const AGAIN_FIRST = 600;
const AGAIN_LAST = 6 * 3600;

/** What of a target matters here. */
export interface Sharer {
  readonly group: Group;
  /** Of what is called most, the share that is single-stepped. */
  readonly stepped: number;
}

interface Known extends Group {
  /** Since when there are few. */
  fewSince: number | undefined;
}

export class Sharing {
  readonly #options: SharingOptions;
  /** By what is probed for them. */
  readonly #groups = new Map<string, Known>();
  #before: { readonly time: number; readonly hits: number } | undefined;
  #above = 0;
  #pause = AGAIN_FIRST;
  #notBefore = Number.NEGATIVE_INFINITY;

  constructor(options: SharingOptions) {
    this.#options = options;
  }

  groupOf(options: PlanOptions): Group {
    const key = JSON.stringify(options);
    const known = this.#groups.get(key);
    if (known) return known;
    const group = { number: this.#groups.size + 1, isShared: false, fewSince: undefined };
    this.#groups.set(key, group);
    return group;
  }

  /** Decides for each group. `time`: monotonic, seconds. */
  weigh(time: number, followed: readonly Sharer[]): void {
    // Which of the links others hit is not known: the dearest.
    const stepped = followed.map((one) => (one.group.isShared ? one.stepped : 0));
    const paid = this.#paidByOthers(time, Math.max(0, ...stepped));
    const { allowance, watch } = this.#options;
    const isAny = [...this.#groups.values()].some(({ isShared }) => isShared);
    this.#above = isAny && paid > allowance ? this.#above + 1 : 0;
    if (this.#above >= PATIENCE) this.#giveUp(time, paid);
    // Any other link for all processes would put a return probe on everybody's stack.
    const mayShare = watch.strategy === 'session' && time >= this.#notBefore;
    for (const group of this.#groups.values()) {
      const count = followed.filter((one) => one.group === group).length;
      group.fewSince = count >= MANY ? undefined : (group.fewSince ?? time);
      const isLonely = group.fewSince !== undefined && time - group.fewSince >= FEW_FOR;
      group.isShared = mayShare && (count >= MANY || (group.isShared && !isLonely));
    }
  }

  /** Share of one CPU. */
  #paidByOthers(time: number, stepped: number): number {
    const { watch, cost } = this.#options;
    const hits = watch.strangerHits();
    const before = this.#before;
    this.#before = { time, hits };
    if (!before || time <= before.time) return 0;
    const { hit, steppedHit } = cost();
    return ((hits - before.hits) * (hit + stepped * (steppedHit - hit))) / (time - before.time);
  }

  #giveUp(time: number, paid: number): void {
    this.#above = 0;
    this.#notBefore = time + this.#pause;
    const share = (100 * paid).toFixed(1);
    this.#options.logger.info(
      { share: paid },
      `links that targets share took ${share} % of a CPU of processes that are not watched: each target has its own for ${this.#pause} s, which cost each the more, the more there are`,
    );
    this.#pause = Math.min(2 * this.#pause, AGAIN_LAST);
  }
}
