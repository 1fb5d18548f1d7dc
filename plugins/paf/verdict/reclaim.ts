import type { GfpName } from '../../../core/memory/gfp.js';
import type { Failure, FailureZone } from '../failure.js';
import type { VerdictContext, ZoneVerdict } from './verdict.js';

/**
 * What reclaim was to a request that found too little free. `forbidden`: its flags do not let it
 * wait. `reclaiming`: it is part of reclaim, which does not call itself. `nothing`: all that its
 * flags let it reclaim would not have been enough. `not_enough`: it could, and did or gave up.
 */
export const RECLAIM_OUTCOMES = ['forbidden', 'reclaiming', 'nothing', 'not_enough'] as const;

export type ReclaimOutcome = (typeof RECLAIM_OUTCOMES)[number];

export interface Reclaim {
  readonly outcome: ReclaimOutcome;
  /** Pages of the zones that it may use, at most: on the lists of what its flags let it reclaim. */
  readonly reclaimable: number;
  /** Anonymous pages count: there is swap, or it is not known, and the flags allow input and output. */
  readonly withAnon: boolean;
}

/** `answers`: of all zones that the request may use, each below its mark. */
export function reclaimOf(
  failure: Failure,
  answers: readonly ZoneVerdict[],
  context: VerdictContext,
): Reclaim {
  const has = (name: GfpName) => context.gfp.has(failure.gfp, name) === true;
  const withAnon = has('__GFP_IO') && context.swapFree !== 0;
  const of = (zone: FailureZone) => zone.file + (withAnon ? zone.anon : 0);
  const reclaimable = answers.reduce((sum, { zone }) => sum + of(zone), 0);
  const enough = answers.some(({ zone, usable, mark }) => usable + of(zone) > mark);
  const outcome = (): ReclaimOutcome => {
    if (!has('__GFP_DIRECT_RECLAIM')) return 'forbidden';
    if (failure.entitlement.memalloc) return 'reclaiming';
    // As should_reclaim_retry() asks before it gives up.
    return enough ? 'not_enough' : 'nothing';
  };
  return { outcome: outcome(), reclaimable, withAnon };
}
