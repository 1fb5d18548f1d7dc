import { knownReach } from '../model.js';
import type { Finding } from './finding.js';
import { SLOTS } from './horizon.js';
import type { JudgeOptions } from './options.js';
import { duration, percent } from './phrases.js';
import type { StackRecord } from './stack.js';

/** Blocks that make a leak of what one lost block may be the whole of. */
const LEAST_LOST = 3;
/** What nothing points to cannot be freed; what errs are references of a kind that no scan knows. */
const LOST = 0.99;
/** Growth alone never tells a cache from a leak for sure. */
const MOST_OF_GROWTH = 0.9;
const MOST_OF_YOUNG_GROWTH = 0.6;

/**
 * What is known of references, joined to what growth says. Blocks that nothing points to are a leak
 * without more. What is still referenced may be a cache that fills: of growth alone it is a leak only
 * once it has outlived any plausible filling.
 */
export function withEvidence(finding: Finding, stack: StackRecord, options: JudgeOptions): Finding {
  if (isLosing(stack, options)) return lost(finding, stack);
  if (finding.class !== 'leak' || stack.ageBefore === undefined) return finding;
  return growing(finding, stack, stack.ageBefore, options);
}

function lost(finding: Finding, stack: StackRecord): Finding {
  const { lost: blocks = 0, reached = 0 } = stack.reach ?? {};
  const { contradicts: _, ...rest } = finding;
  const share = percent(blocks / Math.max(1, blocks + reached));
  return {
    ...rest,
    class: 'leak',
    kind: 'lost',
    confidence: LOST,
    strength: 'certain',
    reason: `nothing in the process points to ${Math.round(blocks)} of its allocations any more (${share})`,
  };
}

function growing(
  finding: Finding,
  stack: StackRecord,
  age: number,
  options: JudgeOptions,
): Finding {
  const needed = Math.min(Math.max(options.fillTime, age), longestSpan(options));
  const isOld = spanOf(stack, finding) >= needed;
  const how = isKnownReferenced(stack, options)
    ? 'all of it is still referenced'
    : 'whether all of it is still referenced is not known';
  const why = isOld
    ? `${how}, but it has grown for longer than a cache plausibly fills (${duration(needed)})`
    : `${how}: a cache may fill like this, so it is no leak for sure before ${duration(needed)} of growth`;
  return {
    ...finding,
    kind: 'growing',
    strength: !isOld && finding.strength === 'strong' ? 'weak' : finding.strength,
    confidence: Math.min(finding.confidence, isOld ? MOST_OF_GROWTH : MOST_OF_YOUNG_GROWTH),
    reason: `${finding.reason}; ${why}`,
  };
}

/** Seconds of growth by the horizon that has seen the most of it. */
const spanOf = ({ findings }: StackRecord, { span = 0 }: Finding): number =>
  findings.reduce(
    (most, one) => (one?.class === 'leak' ? Math.max(most, one.span ?? 0) : most),
    span,
  );

/** Growth that the coarsest horizon can just see: more can be asked of nobody. */
const longestSpan = ({ window, horizons }: JudgeOptions): number =>
  0.75 * (window / 2) * 4 ** (horizons - 1) * SLOTS;

/** By a scan that was not long ago. */
function isKnownReferenced(stack: StackRecord, options: JudgeOptions): boolean {
  const reach = knownReach(stack);
  const isRecent = (at: number) => stack.time - at <= 60 + options.confirmWindows * options.window;
  return reach !== undefined && reach.lost === 0 && isRecent(reach.time);
}

/**
 * Whether blocks are lost, and more of them since not long ago: what was lost once and for all is no leak that
 * goes on. Long is what is longer than it took before.
 */
export function isLosing(stack: StackRecord, { confirmWindows, window }: JudgeOptions): boolean {
  const { time, lostTime, lostPause, missedFrees } = stack;
  // A block whose free was missed looks lost. What was missed of allocations hides leaks, and makes none.
  if ((knownReach(stack)?.lostRecords ?? 0) - missedFrees < LEAST_LOST) return false;
  return time - lostTime <= Math.max(confirmWindows * window, 3 * lostPause);
}
