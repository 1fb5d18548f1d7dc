import type { Judgement, State } from '../model.js';
import type { Finding } from './finding.js';
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
    const fallen = strength === 'none' && stack.floor < stack.confirmedBytes / 2;
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
  options: JudgeOptions,
): Judgement {
  const before = stack.judgement;
  const since = before?.state === state ? before.since : now;
  const growth = finding.growth === undefined ? {} : { growth: finding.growth };
  const { coverage } = stack;
  if (coverage < options.minCoverage) {
    const reason = `no verdict: ${percent(coverage)} coverage, ${percent(options.minCoverage)} is the least`;
    return { state, coverage, ...growth, since, reason };
  }
  if (state === 'resolved') {
    const fallen = stack.floor < stack.confirmedBytes / 2;
    const reason = fallen
      ? `outstanding bytes fell back to ${percent(stack.floor / stack.confirmedBytes)} of what they were when confirmed`
      : finding.reason;
    const kind = fallen || finding.class === 'churn' ? 'churn' : 'filling';
    return { state, class: kind, confidence: 0.8, coverage, ...growth, since, reason };
  }
  if (state === 'confirmed' && finding.strength === 'none') {
    const { class: of, confidence, kind } = before ?? {};
    const kept =
      of && confidence !== undefined ? { class: of, confidence, ...(kind && { kind }) } : {};
    return {
      state,
      ...kept,
      coverage,
      ...growth,
      since,
      reason: `confirmed before; ${finding.reason}`,
    };
  }
  const verdict = finding.class
    ? {
        class: finding.class,
        confidence: finding.confidence,
        ...(finding.kind && { kind: finding.kind }),
      }
    : {};
  return { state, ...verdict, coverage, ...growth, since, reason: finding.reason };
}
