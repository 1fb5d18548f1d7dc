import type { Failure, MemcgCharge } from '../failure.js';
import type { RequestContext } from './request.js';

/**
 * What CPUs keep of charges in advance (MEMCG_CHARGE_BATCH). A charge that fails has them given back,
 * which may show before the counter is looked at.
 */
const CHARGE_BATCH = 64;

/**
 * The counter that has no room for what the request charges: page_counter_try_charge() does not let
 * it pass its limit by as much as a page. undefined: there is room, or nothing is charged.
 */
export function overLimit(
  { gfp, order, memcg }: Failure,
  context: RequestContext,
): MemcgCharge | undefined {
  if (!memcg || memcg.limit === undefined) return undefined;
  if (context.gfp.has(gfp, '__GFP_ACCOUNT') !== true) return undefined;
  const given = Math.min(CHARGE_BATCH, memcg.limit / 4);
  return memcg.usage + 2 ** order + given > memcg.limit ? memcg : undefined;
}
