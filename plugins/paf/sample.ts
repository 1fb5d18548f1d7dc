/** Failures for tests: what differs from an unremarkable one is said. */
import type { Who } from '../../core/identity/who.js';
import type { GfpName } from '../../core/memory/gfp.js';
import type { Failure, FailureZone } from './failure.js';
import type { PafRecords, ToldFailures } from './records.js';
import { judge, type VerdictContext } from './verdict/verdict.js';

/** Bits as 5.10 to 6.2 have them; without ATOMIC as kernels since. */
const BITS: Readonly<Record<string, number>> = {
  DMA: 0x1,
  HIGHMEM: 0x2,
  MOVABLE: 0x8,
  HIGH: 0x20,
  IO: 0x40,
  FS: 0x80,
  ATOMIC: 0x200,
  DIRECT_RECLAIM: 0x400,
  KSWAPD_RECLAIM: 0x800,
  RETRY_MAYFAIL: 0x4000,
  NORETRY: 0x10000,
  MEMALLOC: 0x20000,
  NOMEMALLOC: 0x80000,
  THISNODE: 0x200000,
  ACCOUNT: 0x400000,
};

export const gfp = (...names: readonly string[]): number =>
  names.reduce((mask, name) => mask | (BITS[name] ?? 0), 0);

export const KERNEL = gfp('DIRECT_RECLAIM', 'KSWAPD_RECLAIM', 'IO', 'FS');
export const ATOMIC = gfp('HIGH', 'KSWAPD_RECLAIM');
export const MOVABLE = KERNEL | gfp('HIGHMEM', 'MOVABLE');

const TYPES = { unmovable: 0, movable: 1, reclaimable: 2, highatomic: 3, cma: 4, isolate: 5 };

/** A kernel since 6.3, with CMA; `atomic`: one that has __GFP_ATOMIC. */
export function context(values: Partial<VerdictContext> & { atomic?: true } = {}): VerdictContext {
  const { atomic, ...rest } = values;
  const bitOf = (name: GfpName) => {
    const short = name.replace('__GFP_', '');
    return short === 'ATOMIC' && !atomic ? undefined : BITS[short];
  };
  return {
    gfp: {
      has: (mask, name) => {
        const bit = bitOf(name);
        return bit === undefined ? undefined : (mask & bit) === bit;
      },
    },
    migrateTypes: { value: (name) => TYPES[name as keyof typeof TYPES] },
    pageSize: 4096,
    ...rest,
  };
}

/** Normal of 4 GiB, far above its watermarks; free memory is in movable blocks of order 10. */
export function zone(values: Partial<FailureZone> = {}): FailureZone {
  const free = values.free ?? 500_000;
  return {
    node: 0,
    name: 'Normal',
    index: 2,
    present: 1_048_576,
    managed: 1_015_000,
    free,
    freeCma: 0,
    freeHighatomic: 0,
    reservedHighatomic: 0,
    watermark: { min: 8_192, low: 10_240, high: 12_288 },
    boost: 0,
    reserve: [0, 0, 0, 0],
    blocks: blocks({ 10: [1] }),
    eligible: true,
    kept: 0,
    file: 200_000,
    anon: 100_000,
    ...values,
  };
}

/** Free blocks: order → migrate types that have one. */
export function blocks(types: Readonly<Record<number, readonly number[]>>): FailureZone['blocks'] {
  return Array.from({ length: 11 }, (_, order) => {
    const migrateTypes = types[order] ?? [];
    return { count: migrateTypes.length, migrateTypes };
  });
}

/** A thread of postgres in a container. */
export function requester(values: Partial<Who> = {}): Who {
  const containerId = 'ab'.repeat(32);
  const path = `/system.slice/docker-${containerId}.scope`;
  return {
    pid: 4711,
    tid: 4712,
    startNs: 1_000_000_000,
    startTime: Date.UTC(2026, 10, 23, 9, 0),
    comm: 'walwriter',
    executable: 'postgres',
    isKernelThread: false,
    cgroup: { line: `0::${path}`, path, containerId, podUid: undefined },
    ...values,
  };
}

/** GFP_KERNEL, order 0, unmovable, of a process without privileges. */
export function failure(values: Partial<Failure> = {}): Failure {
  return {
    time: Date.UTC(2026, 10, 23, 9, 30, 0, 250),
    order: 0,
    gfp: KERNEL,
    requestedGfp: KERNEL,
    migrateType: 0,
    requester: requester(),
    scopes: [],
    entitlement: { memalloc: false, oomVictim: false, realTime: false },
    allocFlags: undefined,
    highestZone: 2,
    node: 0,
    nodeFrom: 'cpu',
    zones: [zone()],
    otherNodes: [],
    memcg: undefined,
    kswapdFailures: 0,
    ...values,
  };
}

/** One row of the live view: the sample's failure, once, judged. */
export function told(values: Partial<ToldFailures> & { readonly of?: Partial<Failure> } = {}) {
  const { of, ...rest } = values;
  const detail = failure({ zones: [zone({ free: 8_000 })], ...of });
  return {
    request: { order: detail.order, gfp: detail.gfp, migrateType: detail.migrateType },
    count: 1,
    others: 0,
    first: detail.time,
    last: detail.time,
    requester: detail.requester,
    stack: [],
    frames: [],
    detail,
    verdict: judge(detail, context()),
    flags: 'GFP_KERNEL',
    requestedFlags: 'GFP_KERNEL',
    ...rest,
  } satisfies ToldFailures;
}

/** What a collection tells; nothing happened unless it is said. */
export function records(values: Partial<PafRecords> = {}): PafRecords {
  return {
    failures: [],
    recent: [],
    attempts: undefined,
    totals: { folded: 0, postponed: 0, overflowed: 0, suppressedAttempts: 0, unseen: 0 },
    pageSize: 4096,
    zones: undefined,
    ...values,
  };
}
