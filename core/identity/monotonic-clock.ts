/** What a moment of CLOCK_MONOTONIC, as kernel hooks tell it, is by the clock on the wall. */
export interface ClockSources {
  /** CLOCK_MONOTONIC, ns. */
  readonly monotonic?: () => bigint;
  /** Unix ms; whole ones are enough. */
  readonly wall?: () => number;
}

/** Steps of the clock, not the crumbs of a millisecond that `Date.now` leaves away. */
const STEP_MS = 2;
const TICK_TRIES = 100_000;

/**
 * `Date.now` shows whole milliseconds, so the distance between the two clocks is measured as one of
 * them begins, to some microseconds; and again whenever the wall's was set or has drifted.
 */
export class MonotonicClock {
  readonly #monotonic: () => bigint;
  readonly #wall: () => number;
  /** Unix ms at 0 of CLOCK_MONOTONIC. */
  #offset: number;

  constructor({ monotonic = process.hrtime.bigint, wall = Date.now }: ClockSources = {}) {
    this.#monotonic = monotonic;
    this.#wall = wall;
    this.#offset = this.#measure();
  }

  /** CLOCK_MONOTONIC now, ns. */
  now(): number {
    return Number(this.#monotonic());
  }

  /** Unix ms, with fractions, of that moment in ns. */
  unix(ns: number): number {
    return this.#offset + ns / 1e6;
  }

  /** Notices that the clock on the wall was set: before a batch of conversions. */
  sync(): void {
    const wall = this.#wall();
    const error = wall - this.unix(this.now());
    // It is up to 1 ms behind, as it leaves the fraction away.
    if (error > STEP_MS || error < -1 - STEP_MS) this.#offset = this.#measure();
    else if (error > 0) this.#offset += error;
  }

  #measure(): number {
    const first = this.#wall();
    for (let tries = 0; tries < TICK_TRIES; tries++) {
      const wall = this.#wall();
      if (wall !== first) return wall - this.now() / 1e6;
    }
    return this.#wall() - this.now() / 1e6;
  }
}
