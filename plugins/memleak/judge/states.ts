import type { Judgement, State } from '../model.js';
import type { Finding } from './finding.js';
import { hasFallen } from './known.js';
import type { JudgeOptions } from './options.js';
import { percent } from './phrases.js';
import type { StackRecord } from './stack.js';

/** Slots in a row that a change must be asked for. */
const PERSISTENCE: Readonly<Record<Exclude<State, 'resolved'>, number>> = {
  watching: 4,
  suspected: 2,
  confirmed: 3,
};

/**
 * The state that follows from what the horizons say. A change must be asked for in several slots
 * in a row, and a confirmed leak is only left by being resolved, so that states do not flap.
 */
export function nextState(stack: StackRecord, finding: Finding, options: JudgeOptions): State {
  const state = stack.judgement?.state ?? 'watching';
  if (finding.strength === 'certain') return confirm(stack, state, finding);
  const wanted = wantedState(stack, state, finding);
  if (wanted === state) {
    if (stack.persistence > 0) stack.persistence--;
    return state;
  }
  stack.persistence = stack.wanted === wanted ? stack.persistence + 1 : 1;
  stack.wanted = wanted;
  const least = wanted === 'resolved' ? 2 * options.resolveWindows : PERSISTENCE[wanted];
  if (stack.persistence < least) return state;
  stack.persistence = 0;
  return wanted === 'confirmed' ? confirm(stack, state, finding) : wanted;
}

function confirm(stack: StackRecord, before: State, { doubling = false }: Finding): State {
  stack.persistence = 0;
  if (before === 'confirmed') return before;
  stack.confirmedBytes = stack.floor;
  stack.doubling = doubling;
  return 'confirmed';
}

function wantedState(
  stack: StackRecord,
  state: State,
  { strength, class: kind, paused }: Finding,
): State {
  if (state === 'confirmed') {
    const fallen = strength === 'none' && hasFallen(stack);
    const harmless = kind !== 'leak' && !paused && !stack.resting;
    return fallen || harmless ? 'resolved' : state;
  }
  if (strength === 'strong') return state === 'watching' ? 'suspected' : 'confirmed';
  if (strength === 'weak') return 'suspected';
  return state === 'suspected' ? 'watching' : state;
}

/** What is said of a stack. `now`: Unix ms. */
export function judgementOf(
  stack: StackRecord,
  state: State,
  finding: Finding,
  now: number,
): Judgement {
  const before = stack.judgement;
  const since = before?.state === state ? before.since : now;
  const growth = finding.growth === undefined ? {} : { growth: finding.growth };
  const { coverage } = stack;
  if (state === 'resolved') {
    const fallen = hasFallen(stack);
    const reason = fallen
      ? `outstanding bytes fell back to ${percent(stack.floor / stack.confirmedBytes)} of what they were when confirmed`
      : finding.reason;
    const kind = fallen || finding.class === 'churn' ? 'churn' : 'filling';
    return { state, class: kind, confidence: 0.8, coverage, ...growth, since, reason };
  }
  if (state === 'confirmed' && finding.strength === 'none') {
    return {
      state,
      ...verdictOf(before),
      coverage,
      ...growth,
      since,
      reason: `confirmed before; ${finding.reason}`,
    };
  }
  return { state, ...verdictOf(finding), coverage, ...growth, since, reason: finding.reason };
}

/**
 * What is said of a stack of which too little was recorded. What was held of it stays: nothing that is
 * known speaks against it. `now`: Unix ms.
 */
export function unknownOf(
  { judgement, coverage }: StackRecord,
  { growth }: Finding,
  now: number,
): Judgement {
  const { state = 'watching', since = now } = judgement ?? {};
  const known = { state, coverage, ...(growth !== undefined && { growth }), since };
  const seen = `${percent(coverage)} coverage`;
  if (state !== 'confirmed' && state !== 'suspected') {
    return { ...known, reason: `no verdict: ${seen} is too little` };
  }
  const reason = `${state} before; too little was recorded to know whether it goes on, ${seen}`;
  return { ...known, ...verdictOf(judgement), reason };
}

/** Class, confidence and kind, where there is a class. */
function verdictOf(
  of: Partial<Pick<Judgement, 'class' | 'confidence' | 'kind'>> = {},
): Pick<Judgement, 'class' | 'confidence' | 'kind'> {
  const { class: kind, confidence, kind: how } = of;
  if (kind === undefined || confidence === undefined) return {};
  return { class: kind, confidence, ...(how && { kind: how }) };
}
