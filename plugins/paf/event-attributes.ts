import type { AttributeSpec } from '../../core/metadata.js';
import { verdictAttributes } from './verdict/verdict-attributes.js';

/** What the event has beside who asked, order, migrate type and reason. Memory is in pages. */
export const eventAttributes = {
  'memwatcher.page_allocation.failure.count': {
    type: 'int',
    description: 'Failures that the event tells of',
    example: 17,
  },
  'memwatcher.page_allocation.failure.other_processes': {
    type: 'int',
    optional: true,
    description: 'How many of them were of other processes of the same cgroup',
    example: 3,
  },
  'memwatcher.page_allocation.failure.last': {
    type: 'string',
    description: 'When the last of them failed, ISO 8601; the event’s own time is the first’s',
    example: '2026-11-23T09:25:34.853Z',
  },
  'memwatcher.page_allocation.gfp_flags': {
    type: 'string',
    optional: true,
    description: 'Flags that the allocator used, as the kernel prints them',
    example: 'GFP_NOFS|__GFP_NOWARN',
  },
  'memwatcher.page_allocation.gfp_mask': {
    type: 'int',
    optional: true,
    description: 'The same as a number, whose bits differ between kernels',
    example: 8256,
  },
  'memwatcher.page_allocation.requested.gfp_flags': {
    type: 'string',
    optional: true,
    description: 'Flags that the caller passed; absent where that cannot be known',
    example: 'GFP_KERNEL|__GFP_NOWARN',
  },
  'memwatcher.page_allocation.requested.gfp_mask': {
    type: 'int',
    optional: true,
    description: 'The same as a number',
    example: 11456,
  },
  'memwatcher.page_allocation.scopes': {
    type: 'string[]',
    optional: true,
    description:
      'What may have changed the caller’s flags: noio, nofs and pin take some away, cpuset adds ' +
      '__GFP_HARDWALL',
    example: ['nofs'],
  },
  'memwatcher.page_allocation.zone': {
    type: 'string',
    optional: true,
    description: 'Highest zone that the flags allow; lower ones may serve as well',
    example: 'Normal',
  },
  'memwatcher.page_allocation.node': {
    type: 'int',
    optional: true,
    description: 'NUMA node where a page is looked for first; the figures of zones are of it',
    example: 0,
  },
  'memwatcher.page_allocation.node.source': {
    type: 'string',
    values: ['request', 'cpu'],
    optional: true,
    description: 'Whether the request named the node, or it is that of the CPU, the usual choice',
  },
  'memwatcher.page_allocation.zones': {
    type: 'string[]',
    optional: true,
    description: 'Zones of the node, lowest first; the arrays beside it are in their order',
    example: ['DMA', 'DMA32', 'Normal'],
  },
  ...zoneArrays({
    free: 'Free pages',
    free_cma: 'Free pages in CMA areas, part of the free ones, for movable requests only',
    reserved_highatomic: 'Pages in blocks kept for atomic requests of higher orders',
    min: 'Watermark min in pages, its boost included',
    low: 'Watermark low in pages',
    high: 'Watermark high in pages',
    present: 'Pages that the zone has',
    managed: 'Pages that the allocator manages',
    kept: 'Pages kept from this request because a higher zone would do (lowmem_reserve)',
    reclaimable_file: 'Pages on the lists of file pages, active and inactive',
    reclaimable_anon: 'Pages on the lists of anonymous pages, active and inactive',
  }),
  'memwatcher.page_allocation.free_blocks': {
    type: 'int[]',
    optional: true,
    description: 'Free blocks by order of the zone asked for, or the next lower one with pages',
    example: [17, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0],
  },
  'memwatcher.page_allocation.other_nodes': {
    type: 'int[]',
    optional: true,
    description: 'Other NUMA nodes; the two arrays beside it are in their order',
    example: [1],
  },
  'memwatcher.page_allocation.other_nodes.free': {
    type: 'int[]',
    optional: true,
    description: 'Free pages of that of their zones with most room for the request',
    example: [120_000],
  },
  'memwatcher.page_allocation.other_nodes.needed': {
    type: 'int[]',
    optional: true,
    description:
      'Pages that must stay free there: min watermark, and what is kept from the request',
    example: [11_000],
  },
  'memwatcher.page_allocation.memcg': {
    type: 'string',
    optional: true,
    description: 'Memory cgroup with the least room, of the charged one and those above it',
    example: '/system.slice/postgresql.service',
  },
  'memwatcher.page_allocation.memcg.counter': {
    type: 'string',
    values: ['memory', 'memsw', 'kmem'],
    optional: true,
    description: 'Which of its limits; memsw and kmem are of v1',
  },
  'memwatcher.page_allocation.memcg.usage': {
    type: 'int',
    optional: true,
    description: 'Pages charged there',
    example: 2048,
  },
  'memwatcher.page_allocation.memcg.limit': {
    type: 'int',
    optional: true,
    description: 'Pages that may be; absent without a limit',
    example: 2048,
  },
  ...verdictAttributes,
  'code.stacktrace': {
    type: 'string',
    optional: true,
    description: 'Kernel stack, innermost first: function+0xoffset, or the address alone',
    example: '__alloc_pages+0x2f3\nalloc_skb_with_frags+0x51',
  },
} as const satisfies Readonly<Record<string, AttributeSpec>>;

type ZoneArrays<K extends string> = {
  readonly [N in `memwatcher.page_allocation.zones.${K}`]: {
    readonly type: 'int[]';
    readonly optional: true;
    readonly description: string;
    readonly example: readonly number[];
  };
};

function zoneArrays<const K extends string>(
  descriptions: Readonly<Record<K, string>>,
): ZoneArrays<K> {
  return Object.fromEntries(
    Object.entries<string>(descriptions).map(([key, description]) => [
      `memwatcher.page_allocation.zones.${key}`,
      { type: 'int[]', optional: true, description, example: [3968, 760_000, 240_000] },
    ]),
  ) as unknown as ZoneArrays<K>;
}
