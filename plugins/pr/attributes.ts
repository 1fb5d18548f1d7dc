import { containerAttributes, processAttributes, whoAttributes } from '../../core/identity/who.js';
import type { AttributeSpec } from '../../core/metadata.js';
import { PAGE_STATES, RECLAIM_TYPES, SPAN_FATES, THROTTLE_REASONS, UNMEASURED } from './reclaim.js';

/** Of metrics and spans. */
export const attributes = {
  ...containerAttributes,
  ...processAttributes,
  ...whoAttributes,
  'memwatcher.reclaim.type': {
    type: 'string',
    values: RECLAIM_TYPES,
    description:
      'direct: an allocation found too few free pages; memcg: a cgroup found its limit; ' +
      'soft_limit: of cgroup v1, inside of direct or kswapd; node: before other nodes are used; ' +
      'kswapd: in the background; other: madvise, DAMON, CMA, or begun before the agent',
  },
  'memwatcher.numa.node': { type: 'int', description: 'NUMA node', example: 0 },
  'memwatcher.reclaim.other': {
    type: 'boolean',
    optional: true,
    description: 'true on the series of all that have none of their own',
  },
  'memwatcher.reclaim.page.state': {
    type: 'string',
    values: PAGE_STATES,
    description:
      'dirty: not yet written; unqueued_dirty: of those, that nobody has begun to write; ' +
      'congested: under writeback, yet reclaimed before (before 5.18: on a congested device); ' +
      'writeback: being written; immediate: of those, to be reclaimed once written; pageout: that ' +
      'reclaim began to write, swap included; activated: kept, for they are in use; referenced: ' +
      'kept, for they were used once; unmap_failed: still mapped; lazyfree_failed: freed by ' +
      'madvise, but written since; demoted: moved to slower memory',
  },
  'memwatcher.reclaim.throttle.reason': {
    type: 'string',
    values: THROTTLE_REASONS,
    description:
      'writeback: too many pages under writeback; isolated: too many reclaimers; no_progress: ' +
      'nothing could be reclaimed; congested: writeback does not keep up',
  },
  'memwatcher.reclaim.unmeasured.reason': {
    type: 'string',
    values: UNMEASURED,
    description:
      'no_begin: begun before the agent; no_end: its end was missed; no_room: more threads at the ' +
      'same time than `threads`',
  },
  'memwatcher.span.fate': {
    type: 'string',
    values: SPAN_FATES,
    description:
      'What became of an episode that was long enough for a span: sent; not drawn ' +
      '(span_sampling); beyond span_rate; the ring buffer was full; filtered away; unwanted: ' +
      'nobody takes traces',
  },
  'system.paging.direction': {
    type: 'string',
    values: ['in', 'out'],
    description: 'From swap, or to swap',
  },
  'memwatcher.reclaim.order': {
    type: 'int',
    optional: true,
    description: 'Pages that were asked for in one piece, as a power of two',
    example: 0,
  },
  'memwatcher.reclaim.gfp_flags': {
    type: 'string',
    optional: true,
    description: 'Flags of the request that had to wait, as the kernel spells them',
    example: 'GFP_HIGHUSER_MOVABLE',
  },
  'memwatcher.reclaim.nodes': {
    type: 'int[]',
    description: 'NUMA nodes whose pages were looked at',
    example: [0],
  },
  'memwatcher.reclaim.limit.cgroup': {
    type: 'string',
    optional: true,
    description: 'Cgroup whose limit was found: its line as of /proc/PID/cgroup',
    example: '0::/system.slice/postgresql.service',
  },
  'memwatcher.reclaim.requested': {
    type: 'int',
    optional: true,
    description: 'Pages that were to be reclaimed (nr_to_reclaim)',
    example: 32,
  },
  'memwatcher.reclaim.scanned': {
    type: 'int',
    optional: true,
    description: 'Pages that were looked at',
    example: 4096,
  },
  'memwatcher.reclaim.reclaimed': {
    type: 'int',
    description: 'Pages of those that were reclaimed',
    example: 64,
  },
  'memwatcher.reclaim.freed': {
    type: 'int',
    optional: true,
    description: 'Pages that the run says it has freed, kernel caches included',
    example: 70,
  },
  'memwatcher.reclaim.efficiency': {
    type: 'double',
    optional: true,
    description: 'Pages reclaimed of those looked at, 0 to 1',
    example: 0.0156,
  },
  'memwatcher.reclaim.priority': {
    type: 'int',
    optional: true,
    description: 'How desperate it got: 12 is calm, 0 looks at every page',
    example: 9,
  },
  'memwatcher.reclaim.throttled': {
    type: 'double',
    optional: true,
    description: 'Seconds of it that the thread was put to sleep for want of progress',
    example: 0.1,
  },
  ...encounteredAttributes(),
} as const satisfies Readonly<Record<string, AttributeSpec>>;

type EncounteredKey = `memwatcher.reclaim.encountered.${(typeof PAGE_STATES)[number]}`;

function encounteredAttributes() {
  const entries = PAGE_STATES.map((state) => [
    `memwatcher.reclaim.encountered.${state}`,
    {
      type: 'int',
      optional: true,
      description: `Pages of memwatcher.reclaim.page.state ${state} that it met`,
    },
  ]);
  return Object.fromEntries(entries) as Record<
    EncounteredKey,
    { readonly type: 'int'; readonly optional: true; readonly description: string }
  >;
}
