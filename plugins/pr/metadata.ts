import * as z from 'zod';
import { duration } from '../../core/config/units.js';
import { filterConfig } from '../../core/identity/filter.js';
import { whoAttributes } from '../../core/identity/who.js';
import { defineMetadata } from '../../core/metadata.js';
import { attributes } from './attributes.js';
import { PAGE_STATES } from './reclaim.js';

const type = 'memwatcher.reclaim.type';
const node = 'memwatcher.numa.node';

/** Of config/kernel/pr.yaml. */
const PARTS = [
  'spans',
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
  attributes,
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
