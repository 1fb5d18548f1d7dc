/**
 * What grows: pure, and only to decide where to look. Each series is cut into windows, of which the
 * lowest point counts: what rises and falls again leaves no trace there. Something grows if its floor
 * did not fall in so many windows in a row, and rose by so many bytes in all. Windows of three
 * lengths find the fast and the slow.
 */
export interface GrowthOptions {
  /** ms of the shortest window. */
  readonly window: number;
  readonly windows: number;
  /** Bytes. */
  readonly growth: number;
  /** Windows without a new height after which it no longer grows. */
  readonly quiet: number;
}

export interface Growth {
  readonly key: string;
  /** Now. */
  readonly bytes: number;
  /** By which the floor rose over the windows that tell. */
  readonly grown: number;
  /** Bytes an hour, over these windows. */
  readonly perHour: number;
}

export const SCALES = [1, 10, 60] as const;
/** Series that are held; the kernel's places and caches are fewer. */
const MAX_SERIES = 65_536;

export class GrowthDetector {
  readonly #options: GrowthOptions;
  readonly #series = new Map<string, Series>();
  #round = 0;

  constructor(options: GrowthOptions) {
    this.#options = options;
  }

  /** All samples of one moment; `time`: ms, monotonic. A series that is not among them ends. */
  observe(time: number, samples: Iterable<readonly [key: string, bytes: number]>): void {
    this.#round++;
    for (const [key, bytes] of samples) {
      let series = this.#series.get(key);
      if (series === undefined) {
        if (this.#series.size >= MAX_SERIES) continue;
        series = new Series(this.#options, time, bytes);
        this.#series.set(key, series);
      }
      series.observe(time, bytes, this.#round);
    }
    for (const [key, { round }] of this.#series) {
      if (round !== this.#round) this.#series.delete(key);
    }
  }

  /** What grows, the most first. */
  growing(): Growth[] {
    const growing: Growth[] = [];
    for (const [key, series] of this.#series) {
      const grown = series.grown;
      if (grown) growing.push({ key, bytes: series.bytes, ...grown });
    }
    return growing.sort((a, b) => b.grown - a.grown);
  }
}

class Series {
  round = 0;
  bytes: number;
  readonly #scales: readonly Scale[];

  constructor({ window, windows, growth, quiet }: GrowthOptions, time: number, bytes: number) {
    this.bytes = bytes;
    this.#scales = SCALES.map(
      (scale) => new Scale({ window: window * scale, windows, growth, quiet }, time),
    );
  }

  observe(time: number, bytes: number, round: number): void {
    this.round = round;
    this.bytes = bytes;
    for (const scale of this.#scales) scale.observe(time, bytes);
  }

  get grown(): Pick<Growth, 'grown' | 'perHour'> | undefined {
    return this.#scales.find(({ grown }) => grown !== undefined)?.grown;
  }
}

/** One series in windows of one length. */
class Scale {
  readonly #options: GrowthOptions;
  /** Of ended windows, the newest last; one more than `windows`. */
  readonly #floors: number[] = [];
  #floor = Number.POSITIVE_INFINITY;
  #began: number;
  /** The highest floor; after a quiet time, of that time. */
  #height = 0;
  #recent = 0;
  #quiet = 0;
  #grown: Pick<Growth, 'grown' | 'perHour'> | undefined;

  constructor(options: GrowthOptions, time: number) {
    this.#options = options;
    this.#began = time;
  }

  get grown(): Pick<Growth, 'grown' | 'perHour'> | undefined {
    return this.#grown;
  }

  observe(time: number, bytes: number): void {
    if (time - this.#began >= this.#options.window && this.#floor !== Number.POSITIVE_INFINITY) {
      this.#end(time);
    }
    this.#floor = Math.min(this.#floor, bytes);
  }

  #end(time: number): void {
    const { windows, window } = this.#options;
    this.#floors.push(this.#floor);
    if (this.#floors.length > windows + 1) this.#floors.shift();
    // Whoever was not looked at for long begins anew: nobody knows what the floor was meanwhile.
    if (time - this.#began > window * 4) this.#floors.splice(0, this.#floors.length - 1);
    this.#began = time;
    this.#judge(this.#floor);
    this.#floor = Number.POSITIVE_INFINITY;
  }

  #judge(floor: number): void {
    const { windows, window, growth, quiet } = this.#options;
    const [first = 0] = this.#floors;
    const rises = this.#floors.every((each, n) => n === 0 || each >= (this.#floors[n - 1] ?? 0));
    const grown = floor - first;
    const isNew = floor > this.#height;
    if (this.#floors.length > windows && rises && isNew && grown >= growth) {
      this.#grown = { grown, perHour: (grown * 3_600_000) / (window * windows) };
    }
    if (isNew) {
      this.#height = floor;
      this.#recent = 0;
      this.#quiet = 0;
      return;
    }
    // What rises and falls, in more time than a window, reaches no new height in its next cycle.
    this.#recent = Math.max(this.#recent, floor);
    if (++this.#quiet < quiet) return;
    this.#grown = undefined;
    this.#height = this.#recent;
    this.#recent = 0;
    this.#quiet = 0;
  }
}
