/**
 * Why a page allocation failed: the figures of the moment, judged as the kernel judges.
 *
 * A request fails when every zone that it may use refuses it, or when its memory cgroup has no room
 * for the page that it got. So zones are judged first, and among them the one that came nearest to
 * serving it decides: a zone that has enough pages but no fitting block, before one that would have
 * enough with pages kept for others, before one below its watermark. A cgroup at its limit explains the failure if some zone would have
 * served it, or if a request like it is never refused for want of pages.
 *
 * That the request failed is certain, and its figures are from the moment after. So where two
 * readings of the kernel's rule are possible, the one that explains the failure holds. What is not
 * known is not judged on, and what nothing explains is `unknown`.
 */

import type { Failure, FailureZone, MemcgCharge, OtherNode } from '../failure.js';
import { overLimit } from './charge.js';
import { type NodeAnswer, refusedElsewhere } from './other-nodes.js';
import { type Reclaim, reclaimOf } from './reclaim.js';
import { failsForPages, type RequestContext, requestOf, typeNumbers } from './request.js';
import { sentenceOf } from './sentence.js';
import {
  type Attempt,
  attemptsOf,
  largestBlock,
  type MigrateTypeNumbers,
  type PageRequest,
  type ReserveRule,
  testZone,
  typesFor,
  type ZoneTest,
} from './watermark.js';

/** The whole set. README.md says of each what it means and what to do. */
export const REASONS = [
  'below_watermark',
  'no_reclaim',
  'cma_only',
  'highatomic_only',
  'fragmentation',
  'memcg_limit',
  'no_zone',
  'unknown',
] as const;

export type Reason = (typeof REASONS)[number];

/** What of the kernel and the host the rule needs. */
export interface VerdictContext extends RequestContext {
  /** Bytes. */
  readonly pageSize: number;
  /** Pages of swap that are free; undefined if unknown. */
  readonly swapFree?: number | undefined;
  /** How a person knows a cgroup, by kernfs id; `v1`: in the memory controller's own hierarchy. */
  readonly cgroupName?: (id: number, v1: boolean) => string | undefined;
}

/** The reason, and the figures that it rests on: pages; absent what was not known or not looked at. */
export interface Verdict {
  readonly reason: Reason;
  /** For people. */
  readonly sentence: string;
  readonly order: number;
  /** The zone that decides, and how it answered. */
  readonly zone?: FailureZone;
  readonly node?: number;
  /** In place of the zone where the request was bound to a node of which only this is known. */
  readonly other?: OtherNode;
  /** Of the zone's free pages, those that count for this request; below 0 if its order takes more. */
  readonly usable?: number;
  /** What must stay free: the watermark after the request's privileges, and the zone's reserve. */
  readonly mark?: number;
  /** Order of the largest free block of the zone that the request may take; absent if there is none. */
  readonly largestOrder?: number;
  /** What became, or could have become, of reclaim; of reasons that it could have changed. */
  readonly reclaim?: Reclaim;
  /** Of `memcg_limit`. */
  readonly memcg?: MemcgCharge;
}

/** How one zone answered the request's best attempt. */
export interface ZoneVerdict extends ZoneTest {
  readonly zone: FailureZone;
  readonly attempt: Attempt;
}

export function judge(failure: Failure, context: VerdictContext): Verdict {
  const found = findReason(failure, context);
  return { ...found, sentence: sentenceOf(found, failure, context) };
}

type Found = Omit<Verdict, 'sentence'>;

function findReason(failure: Failure, context: VerdictContext): Found {
  const { order } = failure;
  const request = requestOf(failure, context);
  const zones = failure.zones.filter(({ eligible, managed }) => eligible && managed > 0);
  const full = overLimit(failure, context);
  const memcg: Found | undefined = full && { reason: 'memcg_limit', order, memcg: full };
  if (failure.zones.length > 0 && zones.length === 0 && !mayGoElsewhere(failure, context)) {
    return { reason: 'no_zone', order };
  }
  if (zones.length === 0 || !request) return memcg ?? { reason: 'unknown', order };
  const answers = explaining(request, zones, context);
  const refused = answers.every(({ answer }) => answer !== 'ok');
  if (memcg && !(refused && failsForPages(failure, context))) return memcg;
  const elsewhere = refused ? undefined : refusedElsewhere(failure, context);
  return elsewhere
    ? otherAnswer(failure, elsewhere)
    : answerOf(failure, decidingOf(answers), answers, context);
}

function otherAnswer({ order }: Failure, { reason, other, usable }: NodeAnswer): Found {
  const largest = other.largest === undefined ? {} : { largestOrder: other.largest };
  return { reason, order, node: other.id, other, usable, mark: other.needed, ...largest };
}

const mayGoElsewhere = ({ gfp, otherNodes }: Failure, context: VerdictContext) =>
  otherNodes.length > 0 && context.gfp.has(gfp, '__GFP_THISNODE') !== true;

const NO_ENTITLEMENT = { memalloc: false, oomVictim: false, realTime: false } as const;

/**
 * Each zone's answer by the reading of the rule under which all refuse; by the first if there is
 * none. The lenient readings come first. In an interrupt the entitlements of the task that was
 * interrupted do not hold, and nothing tells that it is one.
 */
function explaining(
  request: PageRequest,
  zones: readonly FailureZone[],
  context: VerdictContext,
): readonly ZoneVerdict[] {
  const rules: ReserveRule[] = ['urgent', 'urgent-orders'];
  if (context.gfp.has(0, '__GFP_ATOMIC') !== undefined) rules.push('atomic');
  const types = typeNumbers(context);
  const readings = rules.flatMap((rule) =>
    [request, { ...request, entitlement: NO_ENTITLEMENT }].map((one) =>
      answersOf(one, rule, zones, types),
    ),
  );
  const explains = (answers: readonly ZoneVerdict[]) =>
    answers.every(({ answer }) => answer !== 'ok');
  return readings.find(explains) ?? readings[0] ?? [];
}

function answersOf(
  request: PageRequest,
  rule: ReserveRule,
  zones: readonly FailureZone[],
  types: MigrateTypeNumbers | undefined,
): readonly ZoneVerdict[] {
  const attempts = attemptsOf(request, rule);
  return zones.flatMap((zone) =>
    attempts
      .map((attempt) => ({ zone, attempt, ...testZone(zone, attempt, request.order, types) }))
      .sort(byNearness)
      .slice(0, 1),
  );
}

/** How near an answer is to a page. */
const RANK = { ok: 0, blocks: 1, highatomic: 2, cma: 3, below: 4 } as const;

const byNearness = (a: ZoneTest, b: ZoneTest) =>
  RANK[a.answer] - RANK[b.answer] || b.usable - b.mark - (a.usable - a.mark);

/** Of zones that are all below their marks the largest: a small one is so most of the time. */
function decidingOf(answers: readonly ZoneVerdict[]): ZoneVerdict {
  return answers.reduce((best, one) => {
    if (best.answer === 'below' && one.answer === 'below') {
      return one.zone.managed > best.zone.managed ? one : best;
    }
    return byNearness(one, best) < 0 ? one : best;
  });
}

const REASON_OF = {
  ok: 'unknown',
  blocks: 'fragmentation',
  highatomic: 'highatomic_only',
  cma: 'cma_only',
} as const;

function answerOf(
  failure: Failure,
  deciding: ZoneVerdict,
  answers: readonly ZoneVerdict[],
  context: VerdictContext,
): Found {
  const figures = figuresOf(failure, deciding, context);
  if (deciding.answer !== 'below') return { ...figures, reason: REASON_OF[deciding.answer] };
  const reclaim = reclaimOf(failure, answers, context);
  const none = reclaim.outcome !== 'not_enough';
  return { ...figures, reason: none ? 'no_reclaim' : 'below_watermark', reclaim };
}

function figuresOf(
  { order, node }: Failure,
  { zone, usable, mark, attempt }: ZoneVerdict,
  context: VerdictContext,
): Omit<Found, 'reason'> {
  const types = typeNumbers(context);
  const largestOrder = types && largestBlock(zone, typesFor(attempt, types));
  const largest = largestOrder === undefined ? {} : { largestOrder };
  return { order, node, zone, usable, mark, ...largest };
}
