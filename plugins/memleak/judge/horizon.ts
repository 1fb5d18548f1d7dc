import type { Ages } from '../model.js';

/** Half windows that a horizon keeps. */
export const SLOTS = 24;

/** What is kept of a slot: the least of each, since memory that is not given back is in the least. */
export const COLUMN = { time: 0, count: 1, bytes: 2, old: 3 } as const;
/** Ages by which old allocations are counted, each twice the one before. */
export const OLD_SERIES = 3;
export const COLUMNS = COLUMN.old + OLD_SERIES;

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
  #first = 0;
  /** Number of the open slot; -1 before the first reading. */
  #slot = -1;

  /** @param slotLength seconds */
  constructor(readonly slotLength: number) {
    this.octave = Math.max(0, Math.round(Math.log2(slotLength * 1000 * 1.6)));
  }

  /** Takes a reading; true if a slot ended with it. */
  observe(time: number, count: number, bytes: number, ages: Ages | undefined): boolean {
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

  #push(): void {
    this.append(this.#open);
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
