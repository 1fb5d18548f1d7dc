import type { Coverage, Reading } from '../model.js';

/**
 * 0 to 1: the share of allocations and frees that a stack's figures rest on. What was dropped is
 * missing; an estimate from samples is worth less by its relative error.
 */
export function coverageOf(reading: Reading, coverage: Coverage): number {
  const { recorded, missedAllocations, missedFrees } = coverage;
  const allocations = share(recorded, missedAllocations);
  // As many frees as allocations may have been recorded, hence the same measure.
  const frees = share(recorded, missedFrees);
  const precision = reading.bytes > 0 ? 1 - Math.min(1, reading.bytesError / reading.bytes) : 1;
  return allocations * frees * precision;
}

const share = (seen: number, missed: number) => (missed > 0 ? seen / (seen + missed) : 1);
