/**
 * Whether a zone would have given a page: the allocator's own test, stated anew. It is
 * `__zone_watermark_ok()` of mm/page_alloc.c with what `gfp_to_alloc_flags()` and
 * `__gfp_pfmemalloc_flags()` make of a request, and what `rmqueue()` then finds on the free lists.
 * In pages.
 */
import type { AllocationScope, Entitlement, FailureZone } from '../failure.js';

/** The flags of a request that decide, as the running kernel has them. */
export interface RequestFlags {
  /** __GFP_HIGH: urgent. */
  readonly high: boolean;
  /** __GFP_ATOMIC, which kernels had until 2973d8229b78 (6.3). */
  readonly atomic: boolean;
  readonly directReclaim: boolean;
  readonly memalloc: boolean;
  readonly noMemalloc: boolean;
}

/** What the test needs to know of a request. */
export interface PageRequest {
  readonly order: number;
  /** It may take CMA pages if its scope lets it. */
  readonly movable: boolean;
  readonly scopes: readonly AllocationScope[];
  readonly flags: RequestFlags;
  readonly entitlement: Entitlement;
}

/** Numbers of migrate types, which differ between kernels; undefined: a type that it has not. */
export interface MigrateTypeNumbers {
  readonly unmovable: number;
  readonly movable: number;
  readonly reclaimable: number;
  readonly highatomic: number | undefined;
  readonly cma: number | undefined;
}

/**
 * Whom the reserves are for. `atomic`: __GFP_ATOMIC, real time tasks, OOM victims. `urgent`:
 * __GFP_HIGH, and more of them for those that cannot wait as well; 1ebbb21811b7 (6.3, and since 2024
 * in stable kernels back to 6.1). `urgent-orders`: the same until 281dd25c1a01 (6.12), when blocks
 * reserved for atomic requests were for those of order 1 and above alone.
 */
export type ReserveRule = 'atomic' | 'urgent' | 'urgent-orders';

/** One attempt of the allocator, by what it entitles to. */
export interface Attempt {
  /** Which parts of the min watermark it may use, one after the other: of what the last left. */
  readonly shares: readonly (2 | 4)[];
  readonly noWatermarks: boolean;
  /** For order 0, the boost of the watermark does not count. */
  readonly ignoresBoost: boolean;
  /** Free pages of the high-order atomic reserve count as usable. */
  readonly countsHighatomic: boolean;
  /** And it may take them. */
  readonly takesHighatomic: boolean;
  readonly takesCma: boolean;
}

/**
 * `cma`: enough free pages, but only with those in CMA areas. `highatomic`: only with those reserved
 * for atomic requests of higher orders. `blocks`: enough, but none of a fitting size.
 */
export type ZoneAnswer = 'ok' | 'blocks' | 'highatomic' | 'cma' | 'below';

/** How the zone answered an attempt, and the figures of the answer. */
export interface ZoneTest {
  readonly answer: ZoneAnswer;
  /** Free pages that the attempt may count on; below 0 if a block of the order takes more. */
  readonly usable: number;
  /** What must stay free: `usable` has to be more. */
  readonly mark: number;
}

/** The attempts that a request has, the strictest first. It fails if every zone refuses each. */
export function attemptsOf(request: PageRequest, rule: ReserveRule): readonly Attempt[] {
  const plain = plainAttempt(request, rule);
  const reserves = reserveAttempt(request, rule);
  return reserves ? [plain, reserves] : [plain];
}

/** By what the request says of itself: gfp_to_alloc_flags(). */
function plainAttempt(request: PageRequest, rule: ReserveRule): Attempt {
  const { flags, entitlement, order } = request;
  const common = { noWatermarks: false, takesCma: takesCma(request) };
  if (rule === 'atomic') {
    const harder = flags.atomic ? !flags.noMemalloc : entitlement.realTime;
    return {
      ...common,
      shares: [...(flags.high ? [2 as const] : []), ...(harder ? [4 as const] : [])],
      ignoresBoost: flags.atomic,
      countsHighatomic: harder,
      takesHighatomic: harder && order > 0,
    };
  }
  const nonBlocking = !flags.directReclaim && !flags.noMemalloc;
  const urgent = flags.high || (flags.directReclaim && entitlement.realTime);
  return {
    ...common,
    shares: urgent ? (nonBlocking ? [2, 4] : [2]) : [],
    ignoresBoost: urgent,
    countsHighatomic: urgent || nonBlocking,
    // above order 0 only the urgent since 6a204d4b14c9 (6.18)
    takesHighatomic: nonBlocking && (order === 0 ? rule === 'urgent' : flags.high),
  };
}

/** By what its task is: __gfp_pfmemalloc_flags(). */
function reserveAttempt(request: PageRequest, rule: ReserveRule): Attempt | undefined {
  const { flags, entitlement } = request;
  if (flags.noMemalloc) return undefined;
  const noWatermarks = flags.memalloc || entitlement.memalloc;
  if (!noWatermarks && !entitlement.oomVictim) return undefined;
  return {
    shares: noWatermarks ? [] : [2],
    noWatermarks,
    ignoresBoost: rule === 'atomic' && flags.atomic,
    countsHighatomic: true,
    takesHighatomic: !noWatermarks && rule !== 'atomic',
    takesCma: takesCma(request),
  };
}

const takesCma = ({ movable, scopes }: PageRequest) => movable && !scopes.includes('pin');

/** Without `types` the free lists are not known, and not judged on. */
export function testZone(
  zone: FailureZone,
  attempt: Attempt,
  order: number,
  types: MigrateTypeNumbers | undefined,
): ZoneTest {
  const usable = usablePages(zone, attempt, order);
  const mark = attempt.noWatermarks ? 0 : markOf(zone, attempt, order) + zone.kept;
  const enough = attempt.noWatermarks || usable > mark;
  const answer = enough
    ? answerOfLists(zone, attempt, order, types)
    : answerBelow(zone, attempt, usable, mark);
  return { usable, mark, answer };
}

/** What would have been enough, had the request been let take it. */
function answerBelow(
  zone: FailureZone,
  attempt: Attempt,
  usable: number,
  mark: number,
): ZoneAnswer {
  if (!attempt.countsHighatomic && usable + highatomicOf(zone) > mark) return 'highatomic';
  if (!attempt.takesCma && usable + zone.freeCma > mark) return 'cma';
  return 'below';
}

function answerOfLists(
  zone: FailureZone,
  attempt: Attempt,
  order: number,
  types: MigrateTypeNumbers | undefined,
): ZoneAnswer {
  if (!types) return 'ok';
  const largest = largestBlock(zone, typesFor(attempt, types));
  if (largest !== undefined) return largest >= order ? 'ok' : 'blocks';
  // Not a page that it may take: whose are they?
  const { highatomic, cma } = types;
  if (highatomic !== undefined && largestBlock(zone, new Set([highatomic])) !== undefined) {
    return 'highatomic';
  }
  if (cma !== undefined && largestBlock(zone, new Set([cma])) !== undefined) return 'cma';
  if (zone.free === 0) return 'below';
  // Any free page is a block of order 0: lists that look empty were read too early or too late.
  return order === 0 ? 'ok' : 'blocks';
}

/** __zone_watermark_unusable_free() taken off. */
function usablePages(zone: FailureZone, attempt: Attempt, order: number): number {
  return (
    zone.free -
    (2 ** order - 1) -
    (attempt.countsHighatomic ? 0 : highatomicOf(zone)) -
    (attempt.takesCma ? 0 : zone.freeCma)
  );
}

/** Counted exactly since c928807f6f6b (6.12); before, all of the reserve was taken for free. */
const highatomicOf = (zone: FailureZone) => zone.freeHighatomic ?? zone.reservedHighatomic;

function markOf(zone: FailureZone, attempt: Attempt, order: number): number {
  const unboosted = order === 0 && attempt.ignoresBoost;
  const min = zone.watermark.min - (unboosted ? zone.boost : 0);
  return attempt.shares.reduce((mark, share) => mark - Math.floor(mark / share), min);
}

/** Lists that the attempt may take from; types that are not its own are a fallback. */
export function typesFor(attempt: Attempt, types: MigrateTypeNumbers): ReadonlySet<number> {
  const { unmovable, movable, reclaimable, highatomic, cma } = types;
  const taken = new Set([unmovable, movable, reclaimable]);
  if (attempt.takesCma && cma !== undefined) taken.add(cma);
  if (attempt.takesHighatomic && highatomic !== undefined) taken.add(highatomic);
  return taken;
}

/** Order of the largest free block on one of these lists; undefined if there is none. */
export function largestBlock(
  { blocks }: Pick<FailureZone, 'blocks'>,
  taken: ReadonlySet<number>,
): number | undefined {
  const order = blocks.findLastIndex(
    ({ count, migrateTypes }) => count > 0 && migrateTypes.some((type) => taken.has(type)),
  );
  return order < 0 ? undefined : order;
}
