/**
 * Targets whose bare hits are above the budget, which sampling does not change: each is traced for a
 * while, and then paused for so long that the budget is held on average. Pure.
 */
import type { Account } from './account.js';

/** Seconds that a turn lasts: a leak is confirmed within one, as the memory is searched twice. */
export const TURN = 20;
/**
 * Bare hits may cost so many times the budget before there are turns: with what recording may cost
 * besides, the budget is held within a factor of 1.5.
 */
const TOLERANCE = 1.35;

export const isHot = ({ hotSince }: Account) => hotSince !== undefined;

/** Share of a CPU; those that a burst of a second brings count, so that nobody is sampled in vain. */
export const bareOf = ({ share, now }: Account) =>
  Math.max(share.total - share.recording, now.total - now.recording);

/** Seconds that its turn has lasted; 0 if it is not traced in turns. */
export const turnOf = ({ hotSince = Number.POSITIVE_INFINITY }: Account, time: number) =>
  Math.max(0, time - hotSince);

/**
 * Who have to be traced in turns, the costliest first: so many that what the others' hits take is half
 * of the budget. `paused`: what the hits took of those who are between two of their turns.
 */
export function markHot(
  time: number,
  traced: Iterable<Account>,
  paused: readonly number[],
  budget: number,
): void {
  const accounts = [...traced].sort(
    // Who are alike do not take turns at being the costliest.
    (a, b) => Number(isHot(b)) - Number(isHot(a)) || bareOf(b) - bareOf(a),
  );
  const isOn = paused.length > 0 || accounts.some(isHot);
  let rest = accounts.reduce((sum, account) => sum + bareOf(account), 0);
  const all = paused.reduce((sum, bare) => sum + bare, rest);
  const isNeeded = all > budget * (isOn ? 1 : TOLERANCE);
  for (const account of accounts) {
    if (!isNeeded || rest <= budget / 2) account.hotSince = undefined;
    else if (!isHot(account)) Object.assign(account, { hotSince: time, spent: 0 });
    rest -= bareOf(account);
  }
}

/**
 * Seconds that `account` is paused after a turn, so that what the turn took is its part of the budget
 * on average: of what the others leave, at least half. `paused`: as of `markHot`.
 */
export function restAfter(
  account: Account,
  turn: number,
  traced: Iterable<Account>,
  paused: readonly number[],
  budget: number,
): number {
  let [steady, inTurns] = [0, paused.length];
  for (const one of traced) {
    if (isHot(one)) inTurns++;
    else steady += one.share.total;
  }
  const allowance = Math.max(budget - steady, budget / 2) / inTurns;
  return Math.max(TURN, Math.ceil(account.spent / allowance - turn));
}
