import * as z from 'zod';
import { duration } from '../../core/config/units.js';
import { filterConfig } from '../../core/identity/filter.js';
import { whoAttributes } from '../../core/identity/who.js';
import { zoneAttributes, zoneMetrics } from '../../core/memory/zones.js';
import { defineMetadata } from '../../core/metadata.js';
import { eventAttributes } from './event-attributes.js';
import { REASONS } from './verdict/verdict.js';

const WHO = Object.keys(whoAttributes) as (keyof typeof whoAttributes)[];
const EVENT = Object.keys(eventAttributes) as (keyof typeof eventAttributes)[];

export const metadata = defineMetadata({
  name: 'paf',
  title: 'Page allocation failures',
  description:
    'Every request for pages that the kernel’s page allocator refused: who asked, for what, with ' +
    'which flags, what the zones and the memory cgroup had at that moment, and why it was refused. ' +
    'Counted in the kernel, so that a storm of failures costs little and loses none.',
  attributes: {
    ...whoAttributes,
    ...zoneAttributes,
    ...eventAttributes,
    'memwatcher.page_allocation.order': {
      type: 'int',
      description: 'Size of the request: 2 to the power of it pages in a row',
      example: 0,
    },
    'memwatcher.page_allocation.migrate_type': {
      type: 'string',
      description: 'Kind of page asked for, by what can be done with it later',
      example: 'unmovable',
    },
    'memwatcher.page_allocation.reason': {
      type: 'string',
      values: REASONS,
      description: 'Why it was refused, as far as the figures of the moment tell',
    },
  },
  metrics: {
    'memwatcher.page_allocation.failures': {
      kind: 'counter',
      unit: '{failure}',
      description: 'Requests for pages that were refused',
      attributes: [
        'memwatcher.page_allocation.order',
        'memwatcher.page_allocation.migrate_type',
        'memwatcher.page_allocation.reason',
      ],
    },
    'memwatcher.page_allocation.failures.folded': {
      kind: 'counter',
      unit: '{failure}',
      description: 'Failures that stand in the event of another one of the same kind',
      attributes: [],
    },
    'memwatcher.page_allocation.failures.overflowed': {
      kind: 'counter',
      unit: '{failure}',
      description: 'Failures beyond `capacity`, of which only order and migrate type are known',
      attributes: [],
    },
    'memwatcher.page_allocation.events.postponed': {
      kind: 'counter',
      unit: '{event}',
      description: 'Events that had to wait because of `events_per_second`',
      attributes: [],
    },
    'memwatcher.page_allocation.unseen': {
      kind: 'counter',
      unit: '{allocation}',
      description: 'Allocations for which the kernel ran no program; nearly all were granted',
      attributes: [],
    },
    ...zoneMetrics,
  },
  events: {
    'memwatcher.page_allocation.failure': {
      description:
        'Requests for pages of one kind were refused; tells of the first, counts all. INFO where ' +
        'the caller says by __GFP_NOWARN that it can do without',
      severity: 'WARN',
      attributes: [
        ...WHO,
        'memwatcher.page_allocation.order',
        'memwatcher.page_allocation.migrate_type',
        'memwatcher.page_allocation.reason',
        ...EVENT,
      ],
    },
  },
  spans: {},
  config: z.strictObject({
    ...filterConfig,
    window: duration({ min: 100 })
      .default(1000)
      .describe('failures of one kind are told of in one event so often, the first at once'),
    events_per_second: z
      .int()
      .min(1)
      .max(10_000)
      .default(20)
      .describe('events of all kinds together; beyond it they wait, and tell of more failures'),
    capacity: z
      .int()
      .min(16)
      .max(65_536)
      .default(1024)
      .describe('kinds of failures that are told apart: by stack, order, flags and cgroup'),
    stack_depth: z
      .int()
      .min(1)
      .max(48)
      .default(48)
      .describe('frames of the kernel stack that are kept'),
    stack_rate: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(10_000)
      .describe('stacks walked a second and CPU; failures beyond it are told apart without'),
    attempts: z
      .boolean()
      .default(false)
      .describe('show attempts to allocate, refused or not, in the live view; they are no metrics'),
    attempt_rate: z
      .int()
      .min(1)
      .max(100_000)
      .default(100)
      .describe('attempts a second that the kernel lets through'),
  }),
});

export type PafMetadata = typeof metadata;
