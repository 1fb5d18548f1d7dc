/**
 * Two instances of one plugin run side by side while a reload tries the new one, and see the same
 * things. Which of them reports an event is decided by when it happened: before the handover it is
 * the old instance's, from then on the new one's, however late either comes to report it.
 *
 * Times are Unix ms, as events have them. When the wall clock is set, the bounds move with it: else a
 * clock that is set back would drop every event until it has caught up.
 */
export class EventWindow {
  #from: number;
  #to = Number.POSITIVE_INFINITY;
  readonly #began = wallAhead();

  private constructor(from: number) {
    this.#from = from;
  }

  /** Of an instance that nobody else runs beside. */
  static open(): EventWindow {
    return new EventWindow(Number.NEGATIVE_INFINITY);
  }

  /** Of one that is tried: nothing is its own until `openFrom`. */
  static closed(): EventWindow {
    return new EventWindow(Number.POSITIVE_INFINITY);
  }

  openFrom(time: number): void {
    this.#from = time - this.#moved;
  }

  closeAt(time: number): void {
    this.#to = time - this.#moved;
  }

  has(time: number): boolean {
    const moved = this.#moved;
    return this.#from + moved <= time && time < this.#to + moved;
  }

  /** By how much the clock was set since the beginning, ms; 0 for what rounding and slewing add up to. */
  get #moved(): number {
    const moved = wallAhead() - this.#began;
    // The wall clock has whole ms: by as much it may seem to have moved further than it was set.
    return Math.abs(moved) < CLOCK_SET ? 0 : moved - 1;
  }
}

/** ms: by less, the wall clock strays from the monotonic one without having been set. */
const CLOCK_SET = 1000;

const wallAhead = (): number => Date.now() - performance.now();
