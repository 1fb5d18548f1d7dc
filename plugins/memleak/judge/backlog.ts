import type { Growth } from './growth.js';
import { COLUMN, type Horizon } from './horizon.js';

/** By how much the later half may allocate more than the earlier one, and the load still be even. */
const EVEN_LOAD = 1.15;
/** Share of what came in the earlier half that may have stayed. */
const MOST_KEPT = 0.9;
/** Standard deviations of what comes and goes by chance. */
const BEYOND_CHANCE = 4;

/**
 * Whether a crowd grows whose members go because more come than go: a queue that its reader does
 * not keep up with. By Little's law as many are there as come in a second times the seconds that
 * each stays; if no more come than before, each stays longer and longer. Sessions under rising load
 * grow with what comes.
 *
 * Of a queue that is just kept up with, length goes up and down by chance, with the root of what
 * came and went: growth must be far beyond that, and more than what was there when it began.
 *
 * @param growth of the floor of the count @param unit what one event adds to it
 */
export function fallsBehind(horizon: Horizon, growth: Growth, unit: number): boolean {
  const last = horizon.length - 1;
  const end = horizon.at(last, COLUMN.time);
  const first = rowAt(horizon, growth.start);
  const middle = rowAt(horizon, (growth.start + end) / 2);
  const earlier = rateBetween(horizon, first, middle);
  const later = rateBetween(horizon, middle, last);
  // What is not known, as after a restart, is not so.
  if (!(later <= EVEN_LOAD * earlier)) return false;
  // While a cache fills nothing goes; it evicts once it is full, and grows no more.
  const kept = horizon.at(middle, COLUMN.count) - horizon.at(first, COLUMN.count);
  const stored = horizon.at(middle, COLUMN.allocated) - horizon.at(first, COLUMN.allocated);
  if (!(kept <= MOST_KEPT * stored)) return false;
  const came = horizon.at(last, COLUMN.allocated) - horizon.at(first, COLUMN.allocated);
  const went = Math.max(0, came - growth.amount);
  const chance = BEYOND_CHANCE * Math.sqrt(unit * (came + went));
  return growth.amount >= Math.max(growth.base, chance);
}

/** The last row that ended by `time`; the first if none did. */
function rowAt(horizon: Horizon, time: number): number {
  let row = horizon.length - 1;
  while (row > 0 && horizon.at(row, COLUMN.time) > time) row--;
  return row;
}

/** Allocations a second. */
const rateBetween = (horizon: Horizon, from: number, to: number): number =>
  (horizon.at(to, COLUMN.allocated) - horizon.at(from, COLUMN.allocated)) /
  (horizon.at(to, COLUMN.time) - horizon.at(from, COLUMN.time));
