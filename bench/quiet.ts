/** Figures of a busy machine are figures of its neighbours too: said beside them. */
import { loadavg } from 'node:os';
import type { BenchRow } from './bench.js';

const QUIET = 1.5;

/** How busy the machine was before, as a row where it was. */
export function busyness(): BenchRow[] {
  const [load = 0] = loadavg();
  if (load <= QUIET) return [];
  const note = `the machine was busy (${QUIET} is quiet): figures are provisional`;
  return [{ name: 'load of the minute before', value: load, unit: '', note }];
}
