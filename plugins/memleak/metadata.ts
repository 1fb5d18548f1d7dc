import * as z from 'zod';
import { processAttributes } from '../../core/identity/who.js';
import { defineMetadata } from '../../core/metadata.js';
import { eventAttributes } from './event-attributes.js';
import { judgingConfig } from './judge/config.js';
import { kernelConfig } from './kernel/config.js';
import type { CLASSES, STATES } from './model.js';
import { scanConfig } from './reach/config.js';
import { targetsConfig } from './targets/config.js';
import { userConfig } from './user/config.js';

const WHO = Object.keys(processAttributes) as (keyof typeof processAttributes)[];
const EVENT = Object.keys(eventAttributes) as (keyof typeof eventAttributes)[];
const SOURCE = 'memwatcher.allocation.source';
const STACK = 'memwatcher.allocation.stack.id';
const FUNCTION = 'memwatcher.allocation.function';
const ORIGIN = 'memwatcher.allocation.origin';
const OTHER = 'memwatcher.allocation.other';
const LEAK_STATE = 'memwatcher.memory_leak.state';
const LEAK_CLASS = 'memwatcher.memory_leak.class';
const OF_STACK = [SOURCE, STACK, FUNCTION, ORIGIN, ...WHO] as const;
const OUTSTANDING = [SOURCE, STACK, FUNCTION, ORIGIN, OTHER, ...WHO] as const;

export const metadata = defineMetadata({
  name: 'memleak',
  title: 'Memory leaks',
  description:
    'Which call stacks leak: the allocations of chosen processes, and on request of the kernel, are ' +
    'followed from the allocator’s return to the free; what stays is judged over time, so that a cache ' +
    'that fills, work that comes and goes and memory that the allocator keeps are told from a leak.',
  enabled: false,
  objects: ['kernel'],
  attributes: {
    ...processAttributes,
    ...eventAttributes,
    [SOURCE]: {
      type: 'string',
      values: ['process', 'kernel'],
      description: 'Who allocates',
    },
    [STACK]: {
      type: 'string',
      optional: true,
      description: 'Made of build ids and offsets: the same stack has the same id on every host',
      example: '9f86d081884c7d65',
    },
    [FUNCTION]: {
      type: 'string',
      optional: true,
      description:
        'The function that called the allocator, outside of the language’s own libraries',
      example: 'make_node',
    },
    [ORIGIN]: {
      type: 'string',
      optional: true,
      description: 'Of the kernel: the slab cache, or the kind of allocator',
      example: 'kmalloc-64',
    },
    [OTHER]: {
      type: 'boolean',
      optional: true,
      description: 'true on the series of all stacks that have none of their own',
    },
    'memwatcher.allocation.missed.reason': {
      type: 'string',
      values: ['not_recorded', 'free_missed'],
      description:
        'not_recorded: a table was full or a read failed; free_missed: the kernel left a run out',
    },
    'memwatcher.allocation.target.state': {
      type: 'string',
      values: ['watched', 'waiting', 'impaired'],
      description:
        'waiting: its probes are still being attached; impaired: it is not seen, or not whole, and the status says why',
    },
  },
  metrics: {
    'memwatcher.allocation.outstanding.size': {
      kind: 'updowncounter',
      unit: 'By',
      description:
        'Allocated while watched, and not freed; the largest stacks, and the rest as one',
      attributes: OUTSTANDING,
    },
    'memwatcher.allocation.outstanding.count': {
      kind: 'updowncounter',
      unit: '{allocation}',
      description: 'Allocations of these bytes',
      attributes: OUTSTANDING,
    },
    'memwatcher.allocation.outstanding.oldest': {
      kind: 'gauge',
      unit: 's',
      valueType: 'double',
      description: 'Age of the oldest outstanding allocation of a stack',
      attributes: OF_STACK,
      enabled: false,
    },
    'memwatcher.memory_leak.status': {
      kind: 'gauge',
      unit: '1',
      description: 'Verdict on a stack: 1 for the state that it is in, 0 for the others',
      attributes: [...OF_STACK, LEAK_STATE],
    },
    'memwatcher.memory_leak.classification': {
      kind: 'gauge',
      unit: '1',
      description:
        'Class of a stack: 1 for the class that it has, 0 for the others; all 0 while it has none',
      attributes: [...OF_STACK, LEAK_CLASS],
    },
    'memwatcher.memory_leak.stack.count': {
      kind: 'updowncounter',
      unit: '{stack}',
      description: 'Stacks with outstanding allocations, by what is held of them',
      attributes: [LEAK_STATE, LEAK_CLASS],
    },
    'memwatcher.allocation.recorded': {
      kind: 'counter',
      unit: '{allocation}',
      description: 'Allocations that were recorded',
      attributes: [SOURCE, ...WHO],
    },
    'memwatcher.allocation.missed': {
      kind: 'counter',
      unit: '{allocation}',
      description: 'Allocations and frees that could not be recorded',
      attributes: [SOURCE, 'memwatcher.allocation.missed.reason', ...WHO],
    },
    'memwatcher.allocation.sampling_interval': {
      kind: 'gauge',
      unit: 'By',
      description: 'Mean bytes between two samples; 0: every allocation is recorded',
      attributes: [SOURCE, ...WHO],
    },
    'memwatcher.allocation.target.count': {
      kind: 'updowncounter',
      unit: '{process}',
      description: 'Processes that are to be watched',
      attributes: ['memwatcher.allocation.target.state'],
    },
    'memwatcher.memory_scan.scans': {
      kind: 'counter',
      unit: '{scan}',
      description: 'Times that the memory of a process was searched for pointers to what it holds',
      attributes: [],
    },
    'memwatcher.memory_scan.refused': {
      kind: 'counter',
      unit: '{scan}',
      description: 'Scans of which nothing could be told: leaks --scan says why',
      attributes: [],
    },
    'memwatcher.memory_scan.cpu.time': {
      kind: 'counter',
      unit: 's',
      valueType: 'double',
      description: 'Processor time that scans took, what the agent did for them included',
      attributes: [],
    },
    'memwatcher.memory_scan.read': {
      kind: 'counter',
      unit: 'By',
      description: 'Memory that scans read',
      attributes: [],
    },
    'memwatcher.symbolizer.unresolved': {
      kind: 'counter',
      unit: '{address}',
      description: 'Addresses that could not be named',
      attributes: [],
    },
    'memwatcher.symbolizer.restarts': {
      kind: 'counter',
      unit: '{restart}',
      description: 'Times that the process which reads symbols died or hung',
      attributes: [],
    },
  },
  events: {
    'memwatcher.memory_leak': {
      description:
        'What is held of a stack has changed, with the evidence. WARN where it is confirmed to leak',
      severity: 'INFO',
      attributes: [...WHO, SOURCE, STACK, FUNCTION, ORIGIN, ...EVENT],
    },
  },
  spans: {},
  config: z.strictObject({
    ...targetsConfig,
    ...userConfig,
    kernel: kernelConfig.describe('the kernel’s own allocations'),
    judging: judgingConfig,
    scan: scanConfig,
    state_dir: z
      .string()
      .regex(/^(\/|-$)/, 'is not an absolute path, nor -')
      .default('/var/lib/mem-watcher')
      .describe('where what is held of stacks outlives a restart of the agent; - nowhere'),
    top: z
      .int()
      .min(1)
      .max(1000)
      .default(20)
      .describe('stacks that have names and series of their own; the rest is one series a process'),
  }),
});

export type MemleakMetadata = typeof metadata;
export type LeakState = (typeof STATES)[number];
export type LeakClass = (typeof CLASSES)[number];
