import type { StructLayout } from '../../core/bpf/layout.js';
import { type RecordDecoder, recordDecoder } from '../../core/bpf/record.js';
import type { Who, WhoRecord } from '../../core/identity/who.js';
import { zoneDetailOf } from '../../core/memory/zone-detail.js';
import { atLeast0 } from '../../core/memory/zones.js';
import type { PafDetail, PafMemcg } from './events.gen.js';
import type { Failure, FailureZone, MemcgCharge, OtherNode } from './failure.js';
import { type FlagsContext, requestedOf, scopesOf } from './flags.js';

/** enum paf_known */
const REQUESTED = 1;
const REQUEST_NODE = 2;
const ALLOC_FLAGS = 4;
const KSWAPD = 8;
const MEMCG = 16;
const MEMCG_V1 = 32;

const COUNTERS = { 1: 'memory', 2: 'memsw', 3: 'kmem' } as const;
/** The kernel's PAGE_COUNTER_MAX is LONG_MAX / PAGE_SIZE; nothing near it was configured. */
const NO_LIMIT = 2 ** 46;
const PF_MEMALLOC = 0x800;
/** MAX_RT_PRIO: better priorities are real time. */
const REAL_TIME = 100;

export interface DecoderHost {
  readonly flags: () => FlagsContext;
  /** Unix ms of CLOCK_MONOTONIC ns. */
  readonly unix: (ns: number) => number;
  readonly who: (record: WhoRecord) => Who;
}

/** A detail, and the fold that it is of. */
export interface Detail {
  readonly slot: number;
  readonly generation: number;
  readonly failure: Failure;
}

/** Records of the ring `details` → failures. */
export class DetailDecoder {
  readonly #record: RecordDecoder<PafDetail>;
  readonly #host: DecoderHost;

  /** `layout` is that of `struct paf_detail`. */
  constructor(layout: StructLayout, host: DecoderHost) {
    this.#record = recordDecoder<PafDetail>(layout);
    this.#host = host;
  }

  /** LAYOUT_INVALID if the record is cut. */
  decode(view: DataView, offset: number, length: number): Detail {
    const record = this.#record.decode(view, offset, length);
    const knows = (bit: number) => (record.known & bit) !== 0;
    const { gfp, task_flags: taskFlags } = record;
    const host = this.#host;
    const flags = host.flags();
    let requester: Who | undefined;
    const failure: Failure = {
      time: host.unix(record.time),
      // Asked for only if somebody wants to know: its cgroup may have to be searched.
      get requester() {
        requester ??= host.who(record.who);
        return requester;
      },
      order: record.order,
      gfp,
      migrateType: record.migrate_type,
      requestedGfp: knows(REQUESTED) ? record.requested : requestedOf(gfp, taskFlags, flags),
      scopes: scopesOf(gfp, taskFlags, knows(REQUESTED) ? { ...flags, cpusets: false } : flags),
      entitlement: {
        memalloc: (taskFlags & PF_MEMALLOC) !== 0,
        oomVictim: record.oom_victim !== 0,
        realTime: record.priority < REAL_TIME,
      },
      allocFlags: knows(ALLOC_FLAGS) ? record.alloc_flags : undefined,
      highestZone: record.highest_zone,
      node: record.node,
      nodeFrom: knows(REQUEST_NODE) ? 'request' : 'cpu',
      zones: zonesOf(record),
      otherNodes: otherNodesOf(record),
      memcg: knows(MEMCG) ? chargeOf(record.memcg, knows(MEMCG_V1)) : undefined,
      kswapdFailures: knows(KSWAPD) ? record.kswapd_failures : undefined,
    };
    return { slot: record.slot, generation: record.generation, failure };
  }
}

function zonesOf(record: PafDetail): FailureZone[] {
  return record.zones.slice(0, record.zone_count).flatMap((one, place): FailureZone[] => {
    const zone = zoneDetailOf(one);
    if (zone === undefined) return [];
    const { file = 0, anon = 0 } = record.reclaimable[place] ?? {};
    const eligible = zone.index <= record.highest_zone;
    const kept = atLeast0(zone.reserve[record.highest_zone] ?? 0);
    return [{ ...zone, eligible, kept, file: atLeast0(file), anon: atLeast0(anon) }];
  });
}

function otherNodesOf({ others, other_count }: PafDetail): OtherNode[] {
  return others.slice(0, other_count).map(({ node, zone, free, needed, largest }) => ({
    id: node,
    zone,
    free: atLeast0(free),
    needed: atLeast0(needed),
    largest: largest < 0 ? undefined : largest,
  }));
}

function chargeOf(record: PafMemcg, v1: boolean): MemcgCharge | undefined {
  const counter = COUNTERS[record.counter as keyof typeof COUNTERS];
  if (counter === undefined) return undefined;
  return {
    cgroupId: record.cgroup,
    chargedId: record.charged,
    v1,
    counter,
    usage: record.usage,
    limit: record.limit < NO_LIMIT ? record.limit : undefined,
    depth: record.depth,
  };
}
