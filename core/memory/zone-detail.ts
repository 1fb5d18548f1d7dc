/**
 * All that decides whether an allocation may take a page of a zone, at one moment: what
 * `struct zone_detail` of `bpf/zones.bpf.h` tells. In pages, as the allocator reckons.
 */
import { atLeast0, type Watermarks, watermarksOf, type ZoneStateRecord } from './zones.js';

/** Figures were read without a lock: those that belong together may be a moment apart. */
export interface ZoneDetail {
  /** Number of the node. */
  readonly node: number;
  readonly name: string;
  /** Place in the node: `enum zone_type`. What a request's highest zone is compared with. */
  readonly index: number;
  readonly present: number;
  readonly managed: number;
  /** Without pages cached by CPUs; `freeCma` and `freeHighatomic` are part of it. */
  readonly free: number;
  readonly freeCma: number;
  /** In blocks reserved for atomic requests of higher orders; undefined before 6.12. */
  readonly freeHighatomic: number | undefined;
  /** Size of these blocks, free or not. */
  readonly reservedHighatomic: number;
  /** `boost` included. */
  readonly watermark: Watermarks;
  /** By how much the watermarks are raised while fragmentation is being fought. */
  readonly boost: number;
  /** Kept from requests whose highest zone has that index (lowmem_reserve). */
  readonly reserve: readonly number[];
  /** By order, smallest first. */
  readonly blocks: readonly FreeBlocks[];
}

/** Free blocks of 2^order pages. */
export interface FreeBlocks {
  readonly count: number;
  /** Numbers of `enum migratetype` that have a block of this size; they differ between kernels. */
  readonly migrateTypes: readonly number[];
}

/** `struct zone_detail` decoded. */
export interface ZoneDetailRecord {
  readonly state: ZoneStateRecord;
  readonly node: number;
  readonly index: number;
  readonly zones: number;
  readonly orders: number;
  readonly free_cma: number;
  readonly reserved_highatomic: number;
  readonly free_highatomic: number;
  readonly reserve: readonly number[];
  readonly blocks: readonly number[];
  readonly types: readonly number[];
}

/** undefined where the record stands for no zone. */
export function zoneDetailOf(record: ZoneDetailRecord): ZoneDetail | undefined {
  const { state } = record;
  if (state.present === 0) return undefined;
  return {
    node: record.node,
    name: state.name,
    index: record.index,
    present: state.present,
    managed: state.managed,
    free: atLeast0(state.free),
    freeCma: atLeast0(record.free_cma),
    freeHighatomic: record.free_highatomic < 0 ? undefined : record.free_highatomic,
    reservedHighatomic: record.reserved_highatomic,
    watermark: watermarksOf(state),
    boost: state.watermark_boost,
    reserve: record.reserve.slice(0, record.zones),
    blocks: record.blocks.slice(0, record.orders).map((count, order) => ({
      count,
      migrateTypes: bitsOf(record.types[order] ?? 0),
    })),
  };
}

function bitsOf(mask: number): number[] {
  return Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => (mask >>> bit) & 1);
}
