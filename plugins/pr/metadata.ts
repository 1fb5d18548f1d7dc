import * as z from 'zod';
import { duration } from '../../core/config/units.js';
import { filterConfig } from '../../core/identity/filter.js';
import { containerAttributes, processAttributes, whoAttributes } from '../../core/identity/who.js';
import { defineMetadata } from '../../core/metadata.js';
import { PAGE_STATES, RECLAIM_TYPES, SPAN_FATES, THROTTLE_REASONS, UNMEASURED } from './reclaim.js';

const type = 'memwatcher.reclaim.type';
const node = 'memwatcher.numa.node';

/** Of config/kernel/pr.yaml. */
const PARTS = [
  'memcg',
  'soft-limit',
  'shrink-list',
  'multi-gen',
  'kswapd-end',
  'node-reclaim',
  'throttled',
  'wakeups',
] as const;

const CONTAINER = ['container.id', 'k8s.pod.uid', 'process.linux.cgroup'] as const;
const OTHER = 'memwatcher.reclaim.other';
const PROCESS = [
  'process.pid',
  'process.creation.time',
  'process.executable.name',
  ...CONTAINER,
  OTHER,
] as const;

export const metadata = defineMetadata({
  name: 'pr',
  title: 'Page reclaim',
  description:
    'What it costs to get memory back: how long allocations and cgroups at their limit waited for ' +
    'reclaim, who waited, what kswapd did in the background, and what became of the pages that were ' +
    'looked at. Long waits become trace spans.',
  attributes: {
    ...containerAttributes,
    ...processAttributes,
    ...whoAttributes,
    [type]: {
      type: 'string',
      values: RECLAIM_TYPES,
      description:
        'direct: an allocation found too few free pages; memcg: a cgroup found its limit; ' +
        'soft_limit: of cgroup v1, inside of direct or kswapd; node: before other nodes are used; ' +
        'kswapd: in the background; other: madvise, DAMON, CMA, or begun before the agent',
    },
    [node]: { type: 'int', description: 'NUMA node', example: 0 },
    [OTHER]: {
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
  },
  metrics: {
    'memwatcher.reclaim.duration': {
      kind: 'histogram',
      unit: 's',
      description: 'How long each episode of reclaim took',
      attributes: [type],
      valueType: 'double',
    },
    'memwatcher.reclaim.requested': {
      kind: 'counter',
      unit: '{page}',
      description: 'Pages that ended episodes were to reclaim (nr_to_reclaim)',
      attributes: [type],
    },
    'memwatcher.reclaim.scanned': {
      kind: 'counter',
      unit: '{page}',
      description: 'Pages that reclaim looked at on the inactive lists (pgscan)',
      attributes: [type],
    },
    'memwatcher.reclaim.reclaimed': {
      kind: 'counter',
      unit: '{page}',
      description: 'Pages of those that it reclaimed (pgsteal)',
      attributes: [type],
    },
    'memwatcher.reclaim.encountered': {
      kind: 'counter',
      unit: '{page}',
      description:
        'Pages that reclaim looked at, by what kept them; a page may have several states',
      attributes: [type, 'memwatcher.reclaim.page.state'],
    },
    'memwatcher.reclaim.active': {
      kind: 'updowncounter',
      unit: '{thread}',
      description: 'Threads that are in an episode now',
      attributes: [type],
    },
    'memwatcher.reclaim.stalled': {
      kind: 'counter',
      unit: 's',
      valueType: 'double',
      description: 'Time that threads of the cgroup waited in direct, memcg and node reclaim',
      attributes: [...CONTAINER, OTHER],
    },
    'memwatcher.reclaim.kswapd.wakeups': {
      kind: 'counter',
      unit: '{wakeup}',
      description: 'Times that an allocation woke the node’s kswapd',
      attributes: [node],
    },
    'memwatcher.reclaim.throttled': {
      kind: 'counter',
      unit: 's',
      valueType: 'double',
      description: 'Time that reclaimers were put to sleep for want of progress',
      attributes: ['memwatcher.reclaim.throttle.reason'],
    },
    'memwatcher.reclaim.throttles': {
      kind: 'counter',
      unit: '{throttle}',
      description: 'Times that a reclaimer was put to sleep for want of progress',
      attributes: ['memwatcher.reclaim.throttle.reason'],
    },
    'system.paging.operations': {
      kind: 'counter',
      unit: '{operation}',
      description: 'Pages swapped in and out (pswpin, pswpout)',
      attributes: ['system.paging.direction'],
    },
    'memwatcher.reclaim.spans': {
      kind: 'counter',
      unit: '{span}',
      description: 'Episodes that were long enough for a span, by what became of it',
      attributes: ['memwatcher.span.fate'],
    },
    'memwatcher.reclaim.unmeasured': {
      kind: 'counter',
      unit: '{episode}',
      description: 'Episodes that are in no other figure',
      attributes: ['memwatcher.reclaim.unmeasured.reason'],
    },
    'memwatcher.numa.reclaim.scanned': {
      kind: 'counter',
      unit: '{page}',
      description: 'Pages of the node that reclaim looked at',
      attributes: [node, type],
      enabled: false,
    },
    'memwatcher.numa.reclaim.reclaimed': {
      kind: 'counter',
      unit: '{page}',
      description: 'Pages of the node that it reclaimed',
      attributes: [node, type],
      enabled: false,
    },
    'memwatcher.reclaim.requests': {
      kind: 'counter',
      unit: '{episode}',
      description: 'Episodes by what was asked for',
      attributes: [type, 'memwatcher.reclaim.order', 'memwatcher.reclaim.gfp_flags', OTHER],
      enabled: false,
    },
    'memwatcher.process.reclaim.duration': {
      kind: 'counter',
      unit: 's',
      valueType: 'double',
      description: 'Time that the process spent in reclaim',
      attributes: [...PROCESS, type],
      enabled: false,
    },
    'memwatcher.process.reclaim.episodes': {
      kind: 'counter',
      unit: '{episode}',
      description: 'Episodes of reclaim that the process was in',
      attributes: [...PROCESS, type],
      enabled: false,
    },
  },
  events: {},
  spans: {
    'memwatcher.reclaim': {
      description: 'One episode of reclaim that took span_threshold or longer',
      attributes: [
        ...(Object.keys(whoAttributes) as (keyof typeof whoAttributes)[]),
        type,
        'memwatcher.reclaim.order',
        'memwatcher.reclaim.gfp_flags',
        'memwatcher.reclaim.nodes',
        'memwatcher.reclaim.limit.cgroup',
        'memwatcher.reclaim.requested',
        'memwatcher.reclaim.scanned',
        'memwatcher.reclaim.reclaimed',
        'memwatcher.reclaim.freed',
        'memwatcher.reclaim.efficiency',
        'memwatcher.reclaim.priority',
        'memwatcher.reclaim.throttled',
        ...PAGE_STATES.map((state) => `memwatcher.reclaim.encountered.${state}` as const),
      ],
    },
  },
  config: z.strictObject({
    ...filterConfig,
    span_threshold: duration({ min: 1 })
      .default(10)
      .describe('an episode of this length or longer becomes a trace span'),
    span_sampling: z
      .number()
      .min(0)
      .max(1)
      .default(1)
      .describe('share of those that do, drawn at random; 0: no spans'),
    span_rate: z
      .number()
      .min(0.01)
      .max(10_000)
      .default(50)
      .describe('spans a second in the long run; ten seconds’ worth may come at once'),
    threads: z
      .int()
      .min(64)
      .max(1_048_576)
      .default(1024)
      .describe('threads that can be followed in reclaim at the same time'),
    capacity: z
      .int()
      .min(64)
      .max(65_536)
      .default(1024)
      .describe('processes, cgroups and kinds of requests that can be told apart, of each so many'),
    without: z
      .array(z.enum(PARTS))
      .default([])
      .describe('parts of config/kernel/pr.yaml to do without'),
  }),
});

export type PrMetadata = typeof metadata;

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
