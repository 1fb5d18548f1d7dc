import type { Failure, OtherNode } from '../failure.js';
import type { RequestContext } from './request.js';

/** A node that refused the request, by the little that is known of it. */
export interface NodeAnswer {
  readonly reason: 'below_watermark' | 'fragmentation';
  readonly other: OtherNode;
  /** Pages of its zone with most room that count for the request. */
  readonly usable: number;
}

/**
 * The node to which a request was bound (__GFP_THISNODE) where that is not known, as the pool of huge
 * pages fills one node after the other: of the nodes that were not looked at first, the one that
 * had no room. undefined if there is none, or more than one to choose from.
 */
export function refusedElsewhere(
  { gfp, order, nodeFrom, otherNodes }: Failure,
  context: RequestContext,
): NodeAnswer | undefined {
  const isBound = context.gfp.has(gfp, '__GFP_THISNODE') === true;
  if (!isBound || nodeFrom !== 'cpu') return undefined;
  const answers = otherNodes.flatMap((other) => answerOf(other, order) ?? []);
  return answers.length === 1 ? answers[0] : undefined;
}

function answerOf(other: OtherNode, order: number): NodeAnswer | undefined {
  const usable = other.free - (2 ** order - 1);
  if (usable <= other.needed) return { reason: 'below_watermark', other, usable };
  if ((other.largest ?? -1) < order) return { reason: 'fragmentation', other, usable };
  return undefined;
}
