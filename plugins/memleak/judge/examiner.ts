import { fallsBehind } from './backlog.js';
import type { Finding } from './finding.js';
import { countedRises, type Growth, GrowthMeter } from './growth.js';
import { COLUMN, delayOf, type Horizon, SLOTS } from './horizon.js';
import type { JudgeOptions } from './options.js';
import { duration, percent } from './phrases.js';
import type { StackRecord } from './stack.js';
import { survivalOf } from './survival.js';

interface Candidate {
  readonly growth: Growth;
  readonly column: number;
  readonly survival: number | undefined;
  /** More comes in than goes out: then what is old need not live on. */
  readonly behind: boolean;
  /** Rises, as `judging.min_rises` counts them. */
  readonly rises: number;
}

/** Finds what one horizon of a stack says. Has no state of its own but scratch space. */
export class Examiner {
  readonly #times = new Float64Array(SLOTS);
  readonly #values = new Float64Array(SLOTS);
  readonly #meter: GrowthMeter;

  constructor(private readonly options: JudgeOptions) {
    this.#meter = new GrowthMeter(options);
  }

  examine(stack: StackRecord, horizon: Horizon): Finding {
    const windows = this.#span(horizon) / (2 * horizon.slotLength);
    const bytes = this.#measure(horizon, COLUMN.bytes, 0);
    const still = bytes?.still ?? this.#span(horizon);
    const growth = windows < 2 ? {} : { growth: bytes ? (bytes.amount / bytes.span) * 3600 : 0 };
    if (windows + 0.5 < this.options.suspectWindows) {
      const reason = `watched for ${duration(this.#span(horizon))}, too short for a verdict`;
      const paused = bytes !== undefined && bytes.strain <= 1 && bytes.rises >= 2;
      return { confidence: 0, strength: 'none', ...growth, still, reason, paused };
    }
    const candidates = this.#candidates(stack, horizon, bytes);
    const leak = candidates
      .map((candidate) => ({ candidate, strength: this.#strength(candidate, stack, horizon) }))
      .sort((a, b) => RANK[b.strength] - RANK[a.strength])[0];
    if (leak && leak.strength !== 'none') {
      return { ...this.#leak(leak.candidate, leak.strength, stack, horizon), ...growth, still };
    }
    return { ...this.#harmless(candidates, stack, horizon), ...growth, still, strength: 'none' };
  }

  /**
   * The series of counts that comes soonest after the truth without hiding it in noise, and the
   * bytes where allocations are made larger in place.
   */
  #candidates(stack: StackRecord, horizon: Horizon, bytes: Growth | undefined): Candidate[] {
    const found: Candidate[] = [];
    for (let column: number = COLUMN.count; column < COLUMN.allocated; column++) {
      if (column === COLUMN.bytes) continue;
      const growth = this.#measure(horizon, column, stack.unit);
      if (!growth) continue;
      found.push(this.#candidate(stack, horizon, column, growth));
      if (growth.drawdown <= CLEAN && growth.width === 1) break;
    }
    const larger = bytes && bytes.amount > bytes.base / 2;
    if (larger && this.#evenCount(horizon)) {
      const rises = countedRises(bytes);
      found.push({
        growth: bytes,
        column: COLUMN.bytes,
        survival: undefined,
        behind: false,
        rises,
      });
    }
    return found;
  }

  #candidate(stack: StackRecord, horizon: Horizon, column: number, growth: Growth): Candidate {
    const { ages, agesTime, since, unit } = stack;
    // Of what was allocated before a restart of the agent nothing is known but that it was there.
    const start = Math.max(growth.start, horizon.knownSince);
    const survival = ages && survivalOf(horizon, column, start, agesTime - since, ages, unit);
    const dies = survival !== undefined && survival < this.options.minSurvival;
    const behind = dies && column === COLUMN.count && fallsBehind(horizon, growth, unit);
    return { growth, column, survival, behind, rises: growth.rises };
  }

  #measure(horizon: Horizon, column: number, unit: number): Growth | undefined {
    let length = 0;
    for (let row = 0; row < horizon.length; row++) {
      const value = horizon.at(row, column);
      if (Number.isNaN(value)) continue;
      this.#values[length] = value;
      this.#times[length++] = horizon.at(row, COLUMN.time);
    }
    return this.#meter.measure(this.#times, this.#values, length, unit);
  }

  #strength(candidate: Candidate, stack: StackRecord, horizon: Horizon): Finding['strength'] {
    const { growth, column, survival, behind, rises } = candidate;
    const { options } = this;
    const window = horizon.slotLength * 2;
    if (growth.strain > 1) return 'none';
    if (survival !== undefined && survival < options.minSurvival && !behind) return 'none';
    const events = column === COLUMN.bytes ? rises : growth.amount / stack.unit;
    // Frees that were missed may all have been of this stack.
    if (column !== COLUMN.bytes && stack.missedFrees * 2 > growth.amount) return 'none';
    const span = growth.span + delayOf(horizon, column);
    // Where much is freed, growth of the floor alone may be a crowd that grows.
    const turnover = stack.freedCount / Math.max(1, stack.allocatedCount);
    const generationsKnown = column === COLUMN.bytes || turnover < 0.05 || survival !== undefined;
    // A crowd that comes and goes has more or fewer members by chance, about the root of their number.
    const crowd = growth.base / stack.unit;
    const beyondChance =
      column === COLUMN.bytes ||
      turnover < 0.05 ||
      events >= Math.max(2 * options.minRises, 2.5 * Math.sqrt(crowd));
    const enough = this.#enough(candidate);
    if (span >= (options.confirmWindows - 1) * window && rises >= enough) {
      if (events >= enough && generationsKnown && beyondChance) return 'strong';
    }
    const few = TO_SUSPECT * options.minRises;
    const suspect = span >= (options.suspectWindows - 0.5) * window && rises >= few;
    return suspect && events >= few ? 'weak' : 'none';
  }

  #leak(candidate: Candidate, strength: Finding['strength'], stack: StackRecord, horizon: Horizon) {
    const { growth, column, survival, behind, rises } = candidate;
    const margin = 1 - Math.max(0, growth.strain) / 2;
    const amount = Math.min(1, rises / (2 * this.options.minRises));
    const base = strength === 'strong' ? 0.8 : 0.5;
    const evenness = base + (1 - base) * 0.95 * margin * amount;
    const doubt = strength === 'strong' ? 1 : this.#doubt(candidate, horizon);
    const confidence = evenness * doubt * Math.sqrt(stack.coverage);
    const what = column === COLUMN.bytes ? 'bytes in the same allocations' : 'allocations';
    const alive = behind
      ? ', as more come in than go out'
      : survival === undefined
        ? ''
        : `, and ${percent(Math.min(1, survival))} of the old generations live on`;
    const reason =
      `the floor of ${what} has risen ${growth.rises} times in ${duration(growth.span)}, ` +
      `evenly up to now${alive}`;
    const doubling = column === COLUMN.bytes && growth.factor > 1;
    return { class: 'leak' as const, confidence, strength, reason, doubling, span: growth.span };
  }

  /**
   * 0 to 1: what lowers the confidence in growth that only suspects: it has risen too few times to
   * confirm, or too seldom (measured on the simulated programs).
   */
  #doubt(candidate: Candidate, { slotLength }: Horizon): number {
    const { span, width } = candidate.growth;
    const often = (candidate.rises * slotLength * width) / span;
    const frequency = (often - RAREST) / (FREQUENT - RAREST);
    const many = Math.min(1, candidate.rises / this.#enough(candidate));
    return Math.max(0, Math.min(1, frequency)) * many ** 2;
  }

  /** Rises that confirm. */
  #enough({ column, behind }: Candidate): number {
    return (column === COLUMN.bytes || behind ? 1.5 : 1) * this.options.minRises;
  }

  #harmless(candidates: readonly Candidate[], stack: StackRecord, horizon: Horizon) {
    const growing =
      candidates.find(({ growth }) => growth.drawdown <= this.options.maxDrawdown) ?? candidates[0];
    const turnover = stack.freedCount / Math.max(1, stack.allocatedCount);
    if (stack.count === 0 || (turnover >= 0.5 && !(growing && growing.growth.strain <= 1))) {
      return this.#turnover(stack);
    }
    if (!growing) {
      const reason = `has not grown in the ${duration(this.#span(horizon))} that it is watched`;
      return { class: 'filling' as const, confidence: 0.8, reason };
    }
    const { growth, survival, behind } = growing;
    if (survival !== undefined && survival < this.options.minSurvival && !behind) {
      const reason = `grows, yet only ${percent(survival)} of the old generations live on`;
      return { class: 'churn' as const, confidence: 0.7, reason, contradicts: true };
    }
    if (growth.drawdown > this.options.maxDrawdown) {
      const reason = `gave back ${percent(growth.drawdown)} of what it had grown by`;
      return { class: 'churn' as const, confidence: 0.6, reason, contradicts: true };
    }
    if (growth.strain > 1) {
      const reason =
        growth.overdue > growth.overdueLimit
          ? `stopped growing ${duration(growth.still)} ago`
          : 'grows ever more slowly';
      const contradicts = growth.concavity > growth.concavityLimit;
      const paused =
        growth.overdue > growth.overdueLimit && growth.overdue < 1.5 * growth.overdueLimit;
      return { class: 'filling' as const, confidence: 0.7, reason, paused, contradicts };
    }
    const reason = `has risen ${growth.rises} times, too few for a verdict`;
    return { confidence: 0, reason, paused: growth.rises >= 2 };
  }

  #turnover(stack: StackRecord) {
    const { surplus, surplusBefore, peakBytes, bytes } = stack;
    const freed = peakBytes - bytes;
    const kept = surplus !== undefined && surplusBefore !== undefined ? surplus - surplusBefore : 0;
    if (freed > peakBytes / 2 && kept > freed / 2 && kept > stack.unitBytes) {
      const reason = 'was freed, but the process still has the pages: the allocator keeps them';
      return { class: 'retention' as const, confidence: 0.6, reason };
    }
    const share = percent(stack.freedCount / Math.max(1, stack.allocatedCount));
    const reason = `comes and goes: ${share} of its allocations were freed, and its floor is even`;
    return { class: 'churn' as const, confidence: 0.8, reason };
  }

  /** Whether the number of allocations stays about the same. */
  #evenCount(horizon: Horizon): boolean {
    let least = Number.POSITIVE_INFINITY;
    let most = 0;
    for (let row = 0; row < horizon.length; row++) {
      const count = horizon.at(row, COLUMN.count);
      least = Math.min(least, count);
      most = Math.max(most, count);
    }
    return most - least <= Math.max(1, 0.2 * most);
  }

  #span(horizon: Horizon): number {
    const last = horizon.length - 1;
    return last < 1 ? 0 : horizon.at(last, COLUMN.time) - horizon.at(0, COLUMN.time);
  }
}

/** Of the rises that confirm, how many suspect. */
const TO_SUSPECT = 2 / 3;

/** A series that gives back less needs no cleaner one. */
const CLEAN = 0.1;

/**
 * Rises per half window: what has risen in one of seven is as good as never a leak, in one of three about
 * as often as any.
 */
const RAREST = 1 / 7;
const FREQUENT = 1 / 3;

const RANK = { none: 0, weak: 1, strong: 2, certain: 3 } as const;
