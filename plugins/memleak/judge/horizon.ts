import type { Ages } from '../model.js';

/** Half windows that a horizon keeps. */
export const SLOTS = 24;

/**
 * What is kept of a slot: the least of each, since memory that is not given back is in the least;
 * of all that was ever allocated, how many it were at the slot's end.
 */
export const COLUMN = { time: 0, count: 1, bytes: 2, old: 3, allocated: 6 } as const;
/** Ages by which old allocations are counted, each twice the one before. */
export const OLD_SERIES = 3;
export const COLUMNS = COLUMN.old + OLD_SERIES + 1;

/** Of one reading. */
export interface Figures {
  readonly count: number;
  readonly bytes: number;
  /** How many were ever allocated. */
  readonly allocated: number;
  readonly ages: Ages | undefined;
}

/** Seconds by which a series comes after the truth: those that it counts are at least so old. */
export const delayOf = ({ octave }: Pick<Horizon, 'octave'>, column: number): number =>
  column < COLUMN.old || column === COLUMN.allocated
    ? 0
    : 2 ** (octave + column - COLUMN.old) / 1000;

/**
 * A stack's last slots of one length. The floor of a slot is the least that was outstanding at any
 * reading in it; of the counts of old allocations likewise.
 */
export class Horizon {
  readonly rows = new Float64Array(SLOTS * COLUMNS);
  /** Rows that hold something, the oldest first, from `#first`. */
  length = 0;
  /** Octave of age, 2^n ms: allocations at least so old are in the first series of old ones. */
  readonly octave: number;
  readonly #open = new Float64Array(COLUMNS);
  /** Seconds: since when ages tell of all that the rows tell of; after a restart later than 0. */
  knownSince = 0;
  /** What is added to each column, so that it goes on where it was before a restart; NaN: not yet. */
  readonly #offsets = new Float64Array(COLUMNS);
  #resumed = Number.NEGATIVE_INFINITY;
  #first = 0;
  /** Number of the open slot; -1 before the first reading. */
  #slot = -1;

  /** @param slotLength seconds */
  constructor(readonly slotLength: number) {
    this.octave = Math.max(0, Math.round(Math.log2(slotLength * 1000 * 1.6)));
  }

  /** Takes a reading; true if a slot ended with it. */
  observe(time: number, { count, bytes, allocated, ages }: Figures): boolean {
    const open = this.#open;
    const slot = Math.floor(time / this.slotLength);
    const ended = slot !== this.#slot && this.#slot >= 0;
    if (ended) this.#push();
    if (slot !== this.#slot) {
      this.#slot = slot;
      open.fill(Number.NaN);
      open[COLUMN.count] = count;
      open[COLUMN.bytes] = bytes;
    } else {
      if (count < (open[COLUMN.count] ?? 0)) open[COLUMN.count] = count;
      if (bytes < (open[COLUMN.bytes] ?? 0)) open[COLUMN.bytes] = bytes;
    }
    open[COLUMN.time] = time;
    open[COLUMN.allocated] = allocated;
    if (ages) this.#observeAges(ages.allocations);
    else if (count === 0) for (let n = 0; n < OLD_SERIES; n++) this.#lower(COLUMN.old + n, 0);
    return ended;
  }

  /** Of row `row` (0: the oldest). */
  at(row: number, column: number): number {
    return this.rows[((this.#first + row) % SLOTS) * COLUMNS + column] ?? Number.NaN;
  }

  /** Copies a column, the oldest first; returns how many there are. */
  read(column: number, into: Float64Array): number {
    for (let row = 0; row < this.length; row++) into[row] = this.at(row, column);
    return this.length;
  }

  append(values: ArrayLike<number>): void {
    const row = (this.#first + this.length) % SLOTS;
    for (let n = 0; n < COLUMNS; n++) this.rows[row * COLUMNS + n] = values[n] ?? Number.NaN;
    if (this.length < SLOTS) this.length++;
    else this.#first = (this.#first + 1) % SLOTS;
  }

  /**
   * Goes on after a restart of the agent at `time`. What was allocated before is not seen any more,
   * so figures begin at zero and rise to their usual level: no growth. Once that has settled they
   * are taken to be what they were before; growth in between is not counted.
   */
  resume(rows: readonly (readonly number[])[], time: number): void {
    for (const row of rows.slice(-SLOTS)) this.append(row);
    this.#resumed = time;
    this.knownSince = time + 2 * this.slotLength;
    this.#offsets.fill(Number.NaN, 1);
  }

  /** All rows, the oldest first. */
  saved(): number[][] {
    return Array.from({ length: this.length }, (_, row) =>
      Array.from({ length: COLUMNS }, (_, column) => this.at(row, column)),
    );
  }

  #push(): void {
    if (this.#resumed > Number.NEGATIVE_INFINITY && !this.#joins()) return;
    this.append(this.#open);
  }

  /** Puts the open slot where the rows before a restart ended; false while it has not settled. */
  #joins(): boolean {
    const open = this.#open;
    const time = open[COLUMN.time] ?? 0;
    if (time < this.knownSince) return false;
    for (let column: number = COLUMN.count; column < COLUMNS; column++) {
      const value = open[column] ?? Number.NaN;
      const age = delayOf(this, column);
      if (Number.isNaN(this.#offsets[column] ?? 0) && time >= this.#resumed + 2 * age) {
        this.#offsets[column] = this.#last(column) - value;
      }
      open[column] = value + (this.#offsets[column] ?? 0);
    }
    return true;
  }

  /** The last value that is known; 0 if none is. */
  #last(column: number): number {
    for (let row = this.length - 1; row >= 0; row--) {
      const value = this.at(row, column);
      if (!Number.isNaN(value)) return value;
    }
    return 0;
  }

  #observeAges(allocations: readonly number[]): void {
    let older = 0;
    let next = allocations.length - 1;
    for (let n = OLD_SERIES - 1; n >= 0; n--) {
      for (; next >= this.octave + n; next--) older += allocations[next] ?? 0;
      this.#lower(COLUMN.old + n, older);
    }
  }

  #lower(column: number, value: number): void {
    const least = this.#open[column] ?? Number.NaN;
    if (!(value >= least)) this.#open[column] = value;
  }
}

/** A horizon four times as long that begins with what the finer one has seen. */
export function coarser(fine: Horizon): Horizon {
  const coarse = new Horizon(fine.slotLength * 4);
  for (let row = 0; row + 4 <= fine.length; row += 4) {
    const values = new Array<number>(COLUMNS).fill(Number.NaN);
    for (let n = row; n < row + 4; n++) {
      values[COLUMN.time] = fine.at(n, COLUMN.time);
      values[COLUMN.allocated] = fine.at(n, COLUMN.allocated);
      for (const column of [COLUMN.count, COLUMN.bytes]) {
        const value = fine.at(n, column);
        if (!((values[column] ?? Number.NaN) <= value)) values[column] = value;
      }
      // Two octaves up, the oldest that the fine one counts are the youngest that this one counts.
      const old = fine.at(n, COLUMN.old + OLD_SERIES - 1);
      if (!((values[COLUMN.old] ?? Number.NaN) <= old) && !Number.isNaN(old)) {
        values[COLUMN.old] = old;
      }
    }
    coarse.append(values);
  }
  return coarse;
}
