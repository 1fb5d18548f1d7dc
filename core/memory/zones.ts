/**
 * Zones of memory: what plugins read of them through `bpf/zones.bpf.h`, and the metrics that are
 * made of it. Whoever reports them spreads `zoneAttributes` and `zoneMetrics` into its metadata;
 * the agent gives each metric to one plugin.
 */
import type { AttributeSpec, Metadata, MetricSpec } from '../metadata.js';
import type { PointWriter } from '../telemetry/points.js';

/** A zone that has pages. Bytes. */
export interface Zone {
  /** `DMA`, `DMA32`, `Normal`, `Movable`. */
  readonly name: string;
  /** All pages of the zone, and those of them that the page allocator manages. */
  readonly present: number;
  readonly managed: number;
  readonly free: number;
  /** Free memory below which the allocator does something, the boost included. */
  readonly watermark: Watermarks;
}

export interface Watermarks {
  readonly min: number;
  readonly low: number;
  readonly high: number;
}

/** A node's zones, as the metrics want them. */
export interface NodeZones {
  /** Number of the node. */
  readonly id: number;
  readonly zones: readonly Zone[];
}

/** `struct zone_state` decoded: pages. */
export interface ZoneStateRecord {
  readonly name: string;
  readonly present: number;
  readonly managed: number;
  readonly free: number;
  readonly watermark_min: number;
  readonly watermark_low: number;
  readonly watermark_high: number;
  readonly watermark_boost: number;
}

/** From the record's pages to bytes; undefined for a zone without a page. */
export function zoneOf(record: ZoneStateRecord, pageSize: number): Zone | undefined {
  if (record.present === 0) return undefined;
  const { min, low, high } = watermarksOf(record);
  return {
    name: record.name,
    present: record.present * pageSize,
    managed: record.managed * pageSize,
    free: atLeast0(record.free) * pageSize,
    watermark: { min: min * pageSize, low: low * pageSize, high: high * pageSize },
  };
}

/** As min_wmark_pages() of the kernel has them, and so /proc/zoneinfo. Pages. */
export function watermarksOf(record: ZoneStateRecord): Watermarks {
  const boost = record.watermark_boost;
  return {
    min: record.watermark_min + boost,
    low: record.watermark_low + boost,
    high: record.watermark_high + boost,
  };
}

/** A sum that is below 0 for a moment counts as 0, as in zone_page_state() of the kernel. */
export const atLeast0 = (pages: number): number => Math.max(0, pages);

const node = 'memwatcher.numa.node';
const zone = 'memwatcher.memory.zone.name';
const level = 'memwatcher.memory.zone.watermark.level';

export const zoneAttributes = {
  [node]: { type: 'int', description: 'NUMA node', example: 0 },
  [zone]: { type: 'string', description: 'Zone of the node', example: 'Normal' },
  [level]: {
    type: 'string',
    description:
      'min: only urgent requests go below; low: kswapd wakes up; high: kswapd goes to sleep',
    values: ['min', 'low', 'high'],
  },
} as const satisfies Readonly<Record<string, AttributeSpec>>;

export const zoneMetrics = {
  'memwatcher.memory.zone.free': {
    kind: 'updowncounter',
    unit: 'By',
    description: 'Free memory of the zone, without pages cached by CPUs',
    attributes: [node, zone],
  },
  'memwatcher.memory.zone.managed': {
    kind: 'updowncounter',
    unit: 'By',
    description: 'Memory of the zone that the page allocator manages',
    attributes: [node, zone],
  },
  'memwatcher.memory.zone.present': {
    kind: 'updowncounter',
    unit: 'By',
    description: 'Memory of the zone that exists, reserved at boot or not',
    attributes: [node, zone],
  },
  'memwatcher.memory.zone.watermark': {
    kind: 'gauge',
    unit: 'By',
    description: 'Free memory below which the page allocator acts, its boost included',
    attributes: [node, zone, level],
  },
} as const satisfies Readonly<Record<string, MetricSpec>>;

/** Any metadata that has these. */
export interface ZoneMetadata extends Metadata {
  readonly attributes: typeof zoneAttributes;
  readonly metrics: typeof zoneMetrics;
}

/** The zones as metric points. */
export function reportZones(nodes: readonly NodeZones[], out: PointWriter<ZoneMetadata>): void {
  for (const { id, zones } of nodes) {
    for (const { name, free, managed, present, watermark } of zones) {
      const which = { [node]: id, [zone]: name } as const;
      out.point('memwatcher.memory.zone.free', free, which);
      out.point('memwatcher.memory.zone.managed', managed, which);
      out.point('memwatcher.memory.zone.present', present, which);
      for (const one of ['min', 'low', 'high'] as const) {
        out.point('memwatcher.memory.zone.watermark', watermark[one], { ...which, [level]: one });
      }
    }
  }
}
