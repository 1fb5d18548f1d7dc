/**
 * The allocator's test against a second statement of it, written down from the kernel's source as it
 * stands there, flag by flag, once for 5.10 and once for 6.18: on random zones and requests both must
 * say the same of every zone, and a verdict must blame the zones exactly if none would have served.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FailureZone } from '../failure.js';
import { context, failure, gfp, zone } from '../sample.js';
import { judge } from './verdict.js';
import { attemptsOf, type PageRequest, type ReserveRule, testZone } from './watermark.js';

const ROUNDS = 20_000;
const SEED = Number(process.env.FUZZ_SEED ?? 20_261_123);
const TYPES = { unmovable: 0, movable: 1, reclaimable: 2, highatomic: 3, cma: 4 };

/** mm/internal.h */
const ALLOC = {
  NO_WATERMARKS: 0x4,
  OOM: 0x8,
  /** ALLOC_HARDER in 5.10 */
  NON_BLOCK: 0x10,
  /** ALLOC_HIGH in 5.10 */
  MIN_RESERVE: 0x20,
  CMA: 0x80,
  HIGHATOMIC: 0x200,
} as const;
const RESERVES = ALLOC.NON_BLOCK | ALLOC.MIN_RESERVE | ALLOC.HIGHATOMIC | ALLOC.OOM;

interface Kernel {
  readonly rule: ReserveRule;
  allocFlags(request: PageRequest): number;
  min(min: number, flags: number): number;
  /** Flags that count the reserve for atomic requests as free. */
  readonly counting: number;
  /** Flags with which the list check, or taking the block, accepts blocks of that reserve. */
  checks(flags: number): boolean;
  takes(flags: number, order: number): boolean;
  ignoresBoost(request: PageRequest, flags: number): boolean;
}

const KERNELS: Readonly<Record<'5.10' | '6.18', Kernel>> = {
  '5.10': {
    rule: 'atomic',
    allocFlags({ flags, entitlement }) {
      let bits = flags.high ? ALLOC.MIN_RESERVE : 0;
      if (flags.atomic) {
        if (!flags.noMemalloc) bits |= ALLOC.NON_BLOCK;
      } else if (entitlement.realTime) {
        bits |= ALLOC.NON_BLOCK;
      }
      return bits;
    },
    min(min, flags) {
      let left = min;
      if (flags & ALLOC.MIN_RESERVE) left -= Math.trunc(left / 2);
      if (flags & (ALLOC.NON_BLOCK | ALLOC.OOM)) {
        left -= flags & ALLOC.OOM ? Math.trunc(left / 2) : Math.trunc(left / 4);
      }
      return left;
    },
    counting: ALLOC.NON_BLOCK | ALLOC.OOM,
    checks: (flags) => (flags & (ALLOC.NON_BLOCK | ALLOC.OOM)) !== 0,
    takes: (flags, order) => order > 0 && (flags & ALLOC.NON_BLOCK) !== 0,
    ignoresBoost: ({ flags }) => flags.atomic,
  },
  '6.18': {
    rule: 'urgent',
    allocFlags({ flags, entitlement, order }) {
      let bits = flags.high ? ALLOC.MIN_RESERVE : 0;
      if (!flags.directReclaim) {
        if (!flags.noMemalloc) {
          bits |= ALLOC.NON_BLOCK;
          if (order > 0 && bits & ALLOC.MIN_RESERVE) bits |= ALLOC.HIGHATOMIC;
        }
      } else if (entitlement.realTime) {
        bits |= ALLOC.MIN_RESERVE;
      }
      return bits;
    },
    min(min, flags) {
      let left = min;
      if (flags & RESERVES) {
        if (flags & ALLOC.MIN_RESERVE) {
          left -= Math.trunc(left / 2);
          if (flags & ALLOC.NON_BLOCK) left -= Math.trunc(left / 4);
        }
        if (flags & ALLOC.OOM) left -= Math.trunc(left / 2);
      }
      return left;
    },
    counting: RESERVES,
    checks: (flags) => (flags & (ALLOC.HIGHATOMIC | ALLOC.OOM)) !== 0,
    takes: (flags) => (flags & (ALLOC.HIGHATOMIC | ALLOC.OOM | ALLOC.NON_BLOCK)) !== 0,
    ignoresBoost: (_, flags) => (flags & ALLOC.MIN_RESERVE) !== 0,
  },
};

/** The slow path: by the flags, then by what the task may. */
function serves(kernel: Kernel, at: FailureZone, request: PageRequest): boolean {
  const cma = request.movable && !request.scopes.includes('pin') ? ALLOC.CMA : 0;
  if (attemptServes(kernel, at, request, kernel.allocFlags(request) | cma)) return true;
  const { flags, entitlement } = request;
  if (flags.noMemalloc) return false;
  if (flags.memalloc || entitlement.memalloc) {
    return attemptServes(kernel, at, request, ALLOC.NO_WATERMARKS | cma);
  }
  return entitlement.oomVictim && attemptServes(kernel, at, request, ALLOC.OOM | cma);
}

function attemptServes(kernel: Kernel, at: FailureZone, request: PageRequest, flags: number) {
  const { order } = request;
  const boosted = at.watermark.min;
  const passes =
    watermarkOk(kernel, at, order, boosted, flags) ||
    (order === 0 &&
      kernel.ignoresBoost(request, flags) &&
      watermarkOk(kernel, at, order, boosted - at.boost, flags));
  if (!passes && !(flags & ALLOC.NO_WATERMARKS)) return false;
  return takesBlock(kernel, at, order, flags);
}

function watermarkOk(kernel: Kernel, at: FailureZone, order: number, mark: number, flags: number) {
  let unusable = 2 ** order - 1;
  if (!(flags & kernel.counting)) unusable += at.freeHighatomic ?? at.reservedHighatomic;
  if (!(flags & ALLOC.CMA)) unusable += at.freeCma;
  if (at.free - unusable <= kernel.min(mark, flags) + at.kept) return false;
  if (order === 0) return true;
  return at.blocks.slice(order).some(({ migrateTypes }) =>
    migrateTypes.some((type) => {
      if (type <= 2) return true;
      if (type === TYPES.cma) return (flags & ALLOC.CMA) !== 0;
      return type === TYPES.highatomic && kernel.checks(flags);
    }),
  );
}

/** rmqueue() */
function takesBlock(kernel: Kernel, at: FailureZone, order: number, flags: number): boolean {
  return at.blocks.slice(order).some(({ migrateTypes }) =>
    migrateTypes.some((type) => {
      if (type <= 2) return true;
      if (type === TYPES.cma) return (flags & ALLOC.CMA) !== 0;
      return type === TYPES.highatomic && kernel.takes(flags, order);
    }),
  );
}

/** The same numbers every time, for a failure must come again. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

type Below = ReturnType<typeof random>;

/** What is free is on the lists, as the kernel keeps it, and near the marks. */
function randomZone(below: Below, index: number): FailureZone {
  const min = below(64);
  const boost = below(4) === 0 ? below(16) : 0;
  const free = { all: 0, cma: 0, highatomic: 0 };
  const largest = below(6);
  const list = Array.from({ length: 11 }, (_, order) => {
    const types = Object.values(TYPES).filter(() => order <= largest && below(6) === 0);
    const counts = types.map(() => 1 + below(Math.ceil(40 / 2 ** order)));
    counts.forEach((count, at) => {
      const pages = count * 2 ** order;
      free.all += pages;
      if (types[at] === TYPES.cma) free.cma += pages;
      if (types[at] === TYPES.highatomic) free.highatomic += pages;
    });
    return { count: counts.reduce((sum, count) => sum + count, 0), migrateTypes: types };
  });
  return zone({
    index,
    free: free.all,
    freeCma: free.cma,
    reservedHighatomic: free.highatomic + (below(3) === 0 ? below(40) : 0),
    freeHighatomic: below(2) === 0 ? undefined : free.highatomic,
    watermark: { min: min + boost, low: min + boost + 8, high: min + boost + 16 },
    boost,
    kept: below(3) === 0 ? below(20) : 0,
    blocks: list,
    managed: 1 + below(1000),
    file: below(30),
    anon: below(30),
  });
}

function randomRequest(below: Below, atomicExists: boolean): PageRequest {
  const maybe = (one: number) => below(one) === 0;
  return {
    order: maybe(2) ? 0 : below(6),
    movable: maybe(2),
    scopes: maybe(5) ? ['pin'] : [],
    flags: {
      high: maybe(2),
      atomic: atomicExists && maybe(3),
      directReclaim: maybe(2),
      memalloc: maybe(10),
      noMemalloc: maybe(5),
    },
    entitlement: { memalloc: maybe(10), oomVictim: maybe(8), realTime: maybe(6) },
  };
}

for (const [name, kernel] of Object.entries(KERNELS)) {
  describe(`the rule of ${name}, on ${ROUNDS} random zones and requests (seed ${SEED})`, () => {
    it('serves where the kernel serves', () => {
      const below = random(SEED);
      const seen = { served: 0, refused: 0 };
      for (let round = 0; round < ROUNDS; round++) {
        const at = randomZone(below, 2);
        const request = randomRequest(below, kernel.rule === 'atomic');
        const expected = serves(kernel, at, request);
        const answers = attemptsOf(request, kernel.rule).map(
          (attempt) => testZone(at, attempt, request.order, TYPES).answer,
        );
        assert.equal(
          answers.includes('ok'),
          expected,
          JSON.stringify({ round, answers, at, request }),
        );
        seen[expected ? 'served' : 'refused']++;
      }
      assert.ok(Math.min(seen.served, seen.refused) > ROUNDS / 5, JSON.stringify(seen));
    });
  });
}

const REFUSALS = new Set([
  'below_watermark',
  'no_reclaim',
  'cma_only',
  'highatomic_only',
  'fragmentation',
]);

describe('a verdict on one to three random zones', () => {
  it('blames the zones exactly if none of them would have served', () => {
    const below = random(SEED + 1);
    const kernel = KERNELS['6.18'];
    const seen: Record<string, number> = {};
    for (let round = 0; round < ROUNDS; round++) {
      const zones = Array.from({ length: 1 + below(3) }, (_, index) => randomZone(below, index));
      // Without what a second reading of the rule could explain.
      const request = {
        ...randomRequest(below, false),
        entitlement: { memalloc: false, oomVictim: false, realTime: false },
      };
      const { flags } = request;
      if (!flags.directReclaim && request.order === 0) continue;
      const mask = gfp(
        'IO',
        flags.high ? 'HIGH' : '',
        flags.directReclaim ? 'DIRECT_RECLAIM' : '',
        flags.memalloc ? 'MEMALLOC' : '',
        flags.noMemalloc ? 'NOMEMALLOC' : '',
      );
      const verdict = judge(
        failure({
          gfp: mask,
          order: request.order,
          migrateType: request.movable ? 1 : 0,
          scopes: request.scopes,
          zones,
        }),
        context(),
      );
      const served = zones.some((one) => serves(kernel, one, request));
      assert.equal(
        REFUSALS.has(verdict.reason),
        !served,
        JSON.stringify({ round, verdict, zones, request }),
      );
      seen[verdict.reason] = (seen[verdict.reason] ?? 0) + 1;
    }
    for (const reason of [...REFUSALS, 'unknown']) {
      assert.ok((seen[reason] ?? 0) > 20, `${reason}: ${JSON.stringify(seen)}`);
    }
  });
});
