import type { Finding } from './finding.js';
import type { JudgeOptions } from './options.js';
import { percent } from './phrases.js';
import type { StackRecord } from './stack.js';

/**
 * Records that a leak would have left by now: if none came, it has stopped but for a chance of e^-3,
 * 5 % (the rule of three: J. A. Hanley, A. Lippman-Hand, "If nothing goes wrong, is everything all
 * right?", 1983).
 */
const MISSED_RECORDS = 3;

/**
 * Whether a finding may change what is held of a stack. With less coverage than `minCoverage` it
 * depends on which way it speaks: what was missed can hide an allocation, and invents none.
 *
 * - Growth was recorded, so it is there: it suspects (`withDoubt`). What it may owe to frees that were
 *   missed the examiner and the witness have taken off.
 * - What was confirmed and has been given back was recorded when it was freed.
 * - That nothing grows any more is known only once a leak as fast as before would have been seen.
 */
export function isKnown(finding: Finding, stack: StackRecord, options: JudgeOptions): boolean {
  if (stack.coverage >= options.minCoverage || finding.class === 'leak') return true;
  if (stack.judgement?.state === 'confirmed' && hasFallen(stack)) return true;
  return stack.expectedRecords >= MISSED_RECORDS;
}

/** Whether what was confirmed has been given back by more than half. */
export const hasFallen = ({ floor, confirmedBytes }: StackRecord): boolean =>
  floor < confirmedBytes / 2;

/**
 * Of growth of which little was recorded it is not known whether it is even: where ever more is
 * recorded, a cache that fills ever more slowly looks like a leak. It suspects, and does not confirm.
 * What was known before stays: less coverage takes nothing from its confidence.
 */
export function withDoubt(finding: Finding, stack: StackRecord, options: JudgeOptions): Finding {
  const { coverage, judgement } = stack;
  if (finding.class !== 'leak' || coverage >= options.minCoverage) return finding;
  const isHeld = judgement?.class === 'leak' && judgement.state !== 'watching';
  const held = isHeld ? (judgement.confidence ?? 0) : 0;
  const confidence = Math.max(held, finding.confidence);
  if (finding.strength !== 'strong') return { ...finding, confidence };
  const doubt = `only ${percent(coverage)} was recorded, too little to be sure`;
  return { ...finding, confidence, strength: 'weak', reason: `${finding.reason}; ${doubt}` };
}
