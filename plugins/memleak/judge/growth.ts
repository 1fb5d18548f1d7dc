/**
 * How the floor of a stack has grown: the statistics that a verdict rests on.
 *
 * The envelope at a time is the least that was outstanding then or at any time since: memory of
 * then that has not been given back. It never falls, and cycles do not show in it. Its steps are
 * looked at from below: a step tells that what was needed has outgrown what was there, so the
 * point before the step lies on the course of need; a table that doubles is as straight as a list.
 */
import type { JudgeOptions } from './options.js';

export interface Growth {
  /** Slots that were taken together, because cycles are longer than one. */
  readonly width: number;
  /** Seconds, from where growth began (or from where it is even) to the last slot. */
  readonly span: number;
  /** When that began, seconds. */
  readonly start: number;
  /** By how much the envelope rose in that time, in the unit of the series. */
  readonly amount: number;
  /** Of the envelope when growth began. */
  readonly base: number;
  /** Slots in which it rose. */
  readonly rises: number;
  /** How much of `amount` was given back at most in between. */
  readonly drawdown: number;
  /** How far above the straight line the course lies in the mean: 0.5 less its centroid. */
  readonly concavity: number;
  /** What of that chance allows, by how unevenly the rises come. */
  readonly concavityLimit: number;
  /** Share of `amount` by which the next rise is overdue; below 0: not yet due. */
  readonly overdue: number;
  readonly overdueLimit: number;
  /**
   * The factor of the last rises if each was by the same, as of a table that doubles when full; else 1.
   */
  readonly factor: number;
  /** Seconds since it rose. */
  readonly still: number;
  /** The largest of the above by its limit; up to 1 nothing contradicts even growth. */
  readonly strain: number;
}

/** Slots taken together where cycles are longer than one. */
const WIDTHS = [1, 2, 3] as const;
const MIN_BLOCKS = 8;
/** Less than this share of all growth is no rise. */
const RISE = 0.01;
/**
 * How much straighter a course must be that is looked at from later than its onset: after a warm-up
 * a leak is straight, and what levels off is less so with each beginning that is tried.
 */
const LATER = 0.5;

export class GrowthMeter {
  readonly #times = new Float64Array(32);
  readonly #floors = new Float64Array(32);
  readonly #envelope = new Float64Array(32);
  #length = 0;

  constructor(private readonly options: JudgeOptions) {}

  /**
   * @param unit what one event adds to the series: 1, or the mean weight of a sample
   * @returns the least strained of the ways to look at it; undefined if it never grew
   */
  measure(times: Float64Array, values: Float64Array, length: number, unit: number) {
    let best: Growth | undefined;
    for (const width of WIDTHS) {
      this.#block(times, values, length, width);
      if (this.#length < (width === 1 ? 3 : MIN_BLOCKS)) break;
      const found = this.#best(unit, width);
      if (found && (!best || found.drawdown < best.drawdown)) best = found;
      // Only cycles are a reason to take slots together: it also blurs where growth has ended.
      if (!best || best.drawdown <= this.options.maxDrawdown) break;
    }
    return best;
  }

  /** The least of every `width` values, the last block whole. */
  #block(times: Float64Array, values: Float64Array, length: number, width: number): void {
    this.#length = Math.floor(length / width);
    const skipped = length - this.#length * width;
    for (let block = 0; block < this.#length; block++) {
      let floor = Number.POSITIVE_INFINITY;
      const begin = skipped + block * width;
      for (let n = begin; n < begin + width; n++) floor = Math.min(floor, values[n] ?? floor);
      this.#floors[block] = floor;
      this.#times[block] = times[begin + width - 1] ?? 0;
    }
    let least = Number.POSITIVE_INFINITY;
    for (let block = this.#length - 1; block >= 0; block--) {
      least = Math.min(least, this.#floors[block] ?? least);
      this.#envelope[block] = least;
    }
  }

  /** From the onset of growth, or up to a quarter later: a warm-up may come before a leak. */
  #best(unit: number, width: number): Growth | undefined {
    const last = this.#length - 1;
    const onset = this.#onset(last);
    let best: Growth | undefined;
    for (let start = onset; start <= onset + (last - onset) / 4; start++) {
      const found = this.#from(start, last, unit, width, start === onset ? 1 : LATER);
      if (found && (!best || found.strain < best.strain)) best = found;
      if (best && best.strain <= 1) break;
    }
    return best;
  }

  #onset(last: number): number {
    const envelope = this.#envelope;
    const low = envelope[0] ?? 0;
    const limit = low + 0.02 * ((envelope[last] ?? 0) - low);
    let onset = 0;
    while (onset < last && (envelope[onset + 1] ?? 0) <= limit) onset++;
    return onset;
  }

  #from(
    start: number,
    last: number,
    unit: number,
    width: number,
    strictness: number,
  ): Growth | undefined {
    const times = this.#times;
    const envelope = this.#envelope;
    const base = envelope[start] ?? 0;
    const begin = times[start] ?? 0;
    const amount = (envelope[last] ?? 0) - base;
    const span = (times[last] ?? 0) - begin;
    if (!(amount > 0) || !(span > 0)) return undefined;
    let rises = 0;
    let x = 0;
    let y = 0;
    let area = 0;
    let lastRise = start;
    let squares = 0;
    let riseBefore = Number.NaN;
    const levels = [base, base, base, base];
    for (let n = start + 1; n <= last; n++) {
      const before = envelope[n - 1] ?? 0;
      const rise = (envelope[n] ?? 0) - before;
      // Of differences of rises that follow each other, which a slow change of rate leaves small.
      if (n > start + 1) squares += (rise - riseBefore) ** 2 / 2;
      riseBefore = rise;
      if (rise <= RISE * amount) continue;
      rises++;
      lastRise = n;
      levels.shift();
      levels.push(envelope[n] ?? 0);
      // Where every slot rises the course passes through the points; after a rest, the step came
      // between two slots.
      const rested = n - 1 > start && before - (envelope[n - 2] ?? 0) <= RISE * amount;
      const at = rested ? ((times[n - 1] ?? 0) + (times[n] ?? 0)) / 2 : (times[n - 1] ?? 0);
      area += ((at - begin - x) / span) * (((before - base) / amount + y) / 2);
      x = at - begin;
      y = (before - base) / amount;
    }
    const concavity = area + (1 - x / span) * ((y + 1) / 2) - 0.5;
    const slots = last - start;
    // The index of dispersion: how many come together; regular ones hardly differ from slot to slot.
    const dispersion = (squares / Math.max(1, slots - 1) / amount) * slots;
    const scatter = Math.max(0.2 * unit, dispersion) / amount;
    const concavityLimit = strictness * (this.options.maxConcavity + 0.2 * Math.sqrt(scatter));
    const overdueLimit = this.options.maxOverdue + 2.5 * scatter;
    const { overdue, still } = this.#waiting(start, lastRise, last, amount);
    const drawdown = this.#drawdown(start, last) / amount;
    const strain = Math.max(
      drawdown / this.options.maxDrawdown,
      concavity / concavityLimit,
      overdue / overdueLimit,
    );
    return {
      width,
      span,
      start: begin,
      amount,
      base,
      rises,
      drawdown,
      concavity,
      concavityLimit,
      overdue,
      overdueLimit,
      factor: factorOf(levels),
      still,
      strain,
    };
  }

  /** Would the course of need, drawn on as a line, have outgrown what is there? */
  #waiting(start: number, lastRise: number, last: number, amount: number) {
    const now = this.#times[last] ?? 0;
    const then = this.#times[lastRise] ?? 0;
    const before = this.#envelope[Math.max(start, lastRise - 1)] ?? 0;
    const base = this.#envelope[start] ?? 0;
    const rate = (before - base) / Math.max(1e-9, then - (this.#times[start] ?? 0));
    const need = before + rate * (now - then);
    return { overdue: (need - (this.#envelope[last] ?? 0)) / amount, still: now - then };
  }

  #drawdown(start: number, last: number): number {
    let peak = this.#floors[start] ?? 0;
    let most = 0;
    for (let n = start + 1; n <= last; n++) {
      const floor = this.#floors[n] ?? 0;
      peak = Math.max(peak, floor);
      most = Math.max(most, peak - floor);
    }
    return most;
  }
}

/**
 * Rises as evidence. A table that grows by a factor rises as seldom as its need predicts: it counts as
 * many rises as its first step fits into its growth, so that four doublings are fifteen. Once the next
 * is due it is counted as anything else.
 */
export function countedRises({ rises, factor, overdue }: Growth): number {
  return factor > 1 && overdue < 0 ? (factor ** rises - 1) / (factor - 1) : rises;
}

function factorOf(levels: readonly number[]): number {
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  for (let n = 1; n < levels.length; n++) {
    const factor = (levels[n] ?? 0) / (levels[n - 1] ?? 1);
    least = Math.min(least, factor);
    most = Math.max(most, factor);
  }
  const isGeometric = least > 1.25 && most / least < 1.05;
  return isGeometric ? Math.cbrt((levels[3] ?? 0) / (levels[0] ?? 1)) : 1;
}
