import type { AttributeSpec } from '../../../core/metadata.js';
import { RECLAIM_OUTCOMES } from './reclaim.js';
import type { Verdict } from './verdict.js';

/** What the reason rests on. Pages. */
export const verdictAttributes = {
  'memwatcher.page_allocation.verdict.zone': {
    type: 'string',
    optional: true,
    description: 'Zone that decided, of those in memwatcher.page_allocation.zones',
    example: 'Normal',
  },
  'memwatcher.page_allocation.verdict.usable': {
    type: 'int',
    optional: true,
    description:
      'Of its free pages, those that counted for this request; below 0 if its order takes more',
    example: 2549,
  },
  'memwatcher.page_allocation.verdict.mark': {
    type: 'int',
    optional: true,
    description:
      'More had to be free: the min watermark after the request’s privileges, and what is kept',
    example: 3072,
  },
  'memwatcher.page_allocation.verdict.largest_order': {
    type: 'int',
    optional: true,
    description: 'Order of its largest free block that the request may take; absent without one',
    example: 3,
  },
  'memwatcher.page_allocation.verdict.reclaim': {
    type: 'string',
    values: RECLAIM_OUTCOMES,
    optional: true,
    description:
      'Of a zone below its watermark: whether the request may reclaim, and whether that could do',
  },
  'memwatcher.page_allocation.verdict.reclaimable': {
    type: 'int',
    optional: true,
    description: 'Pages that its flags let it reclaim, at most, in all zones that it may use',
    example: 812,
  },
} as const satisfies Readonly<Record<string, AttributeSpec>>;

/** What was not looked at is absent. */
export function attributesOfVerdict({ zone, usable, mark, largestOrder, reclaim }: Verdict) {
  return {
    ...(zone !== undefined && { 'memwatcher.page_allocation.verdict.zone': zone.name }),
    ...(usable !== undefined && { 'memwatcher.page_allocation.verdict.usable': usable }),
    ...(mark !== undefined && { 'memwatcher.page_allocation.verdict.mark': mark }),
    ...(largestOrder !== undefined && {
      'memwatcher.page_allocation.verdict.largest_order': largestOrder,
    }),
    ...(reclaim !== undefined && {
      'memwatcher.page_allocation.verdict.reclaim': reclaim.outcome,
      'memwatcher.page_allocation.verdict.reclaimable': reclaim.reclaimable,
    }),
  };
}
