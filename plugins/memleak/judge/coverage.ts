import type { Coverage, Reading } from '../model.js';

/**
 * 0 to 1: the share of allocations and frees that a stack's figures rest on. What was dropped is
 * missing; an estimate from samples is worth less by its relative error. That is no smaller than
 * what one more allocation adds if it is sampled: so much may be there unseen, also of a stack whose
 * allocations were all recorded before sampling began.
 */
export function coverageOf(reading: Reading, coverage: Coverage): number {
  const { recorded, missedAllocations, missedFrees } = coverage;
  const allocations = share(recorded, missedAllocations);
  // As many frees as allocations may have been recorded, hence the same measure.
  const frees = share(recorded, missedFrees);
  const error = Math.max(reading.bytesError, unseen(reading, coverage.samplingInterval));
  const precision = reading.bytes > 0 ? 1 - Math.min(1, error / reading.bytes) : 1;
  return allocations * frees * precision;
}

/**
 * 0 to 1: the chance that an allocation of the stack was recorded if there was one between two
 * readings: by what was missed then, and by its mean size if it was sampled.
 */
export function chanceToSee(reading: Reading, before: Coverage, now: Coverage): number {
  const recorded = now.recorded - before.recorded;
  const missed = now.missedAllocations - before.missedAllocations;
  return share(recorded, missed) * sampledShare(reading, now.samplingInterval);
}

/** Bytes: the standard deviation of what one allocation of the mean size is taken for. */
function unseen({ bytes, allocations }: Reading, interval: number): number {
  if (!(interval > 0 && allocations > 0)) return 0;
  const size = bytes / allocations;
  const sampled = sampledShare({ bytes, allocations }, interval);
  return sampled > 0 ? (size * Math.sqrt(1 - sampled)) / sampled : 0;
}

/** Share of allocations of the mean size that are sampled. */
const sampledShare = (
  { bytes, allocations }: Pick<Reading, 'bytes' | 'allocations'>,
  interval: number,
): number => (interval > 0 && allocations > 0 ? -Math.expm1(-bytes / allocations / interval) : 1);

const share = (seen: number, missed: number) => (missed > 0 ? seen / (seen + missed) : 1);
