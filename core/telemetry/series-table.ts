import { RecentKeys } from './key-filter.js';
import type { Point } from './subtract.js';

export interface Series {
  point: Point;
  /** When the counter began, Unix ms. */
  began: number;
  /** When `point` was taken, Unix ms, and by the steady clock. */
  time: number;
  lookedAt: number;
  /** The last pass that had it. */
  pass: number;
}

/**
 * The series of one plugin, by metric and key, at most `limit` of them. At the limit, the half of
 * the absent series that has been absent longest makes room; only if none is absent there is none.
 */
export class SeriesTable {
  readonly #limit: number;
  readonly #metrics = new Map<string, Map<string, Series>>();
  #forgotten: RecentKeys | undefined;
  #size = 0;
  #pass = 0;
  /** The last pass in which there was nothing to forget. */
  #fullPass = -1;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#size;
  }

  /** Begins a pass over all series that there are now. */
  begin(): void {
    this.#pass++;
  }

  /** Marks it as seen in this pass. */
  find(metric: string, key: string): Series | undefined {
    const series = this.#metrics.get(metric)?.get(key);
    if (series) series.pass = this.#pass;
    return series;
  }

  /** False if the limit is reached and every series is in use. */
  add(metric: string, key: string, series: Omit<Series, 'pass'>): boolean {
    if (this.#size >= this.#limit && !this.#makeRoom()) return false;
    const known = this.#metrics.get(metric) ?? new Map<string, Series>();
    this.#metrics.set(metric, known);
    known.set(key, { ...series, pass: this.#pass });
    this.#size++;
    return true;
  }

  /** Whether it may have been here before it had to make room for others. */
  mayBeForgotten(metric: string, key: string): boolean {
    return this.#forgotten?.mayHave(`${metric}\0${key}`) === true;
  }

  /** `isAbsent`: it was not in this pass. */
  remove(which: (series: Series, isAbsent: boolean) => boolean): void {
    for (const known of this.#metrics.values()) {
      for (const [key, series] of known) {
        if (!which(series, series.pass !== this.#pass)) continue;
        known.delete(key);
        this.#size--;
      }
    }
  }

  #makeRoom(): boolean {
    if (this.#fullPass === this.#pass) return false;
    // What this pass has not come to yet is not absent.
    const absent: number[] = [];
    for (const known of this.#metrics.values()) {
      for (const { pass } of known.values()) if (pass < this.#pass - 1) absent.push(pass);
    }
    const middle = Float64Array.from(absent).sort()[absent.length >> 1];
    if (middle === undefined) {
      this.#fullPass = this.#pass;
      return false;
    }
    this.#forgotten ??= new RecentKeys();
    for (const [metric, known] of this.#metrics) {
      for (const [key, { pass }] of known) {
        if (pass > middle) continue;
        known.delete(key);
        this.#size--;
        this.#forgotten.add(`${metric}\0${key}`);
      }
    }
    return true;
  }
}
