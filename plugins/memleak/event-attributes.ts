import type { AttributeSpec } from '../../core/metadata.js';
import { CLASSES, LEAK_KINDS, STATES } from './model.js';

/** Of the event `memwatcher.memory_leak`: what the stack is, what is held of it, and on what grounds. */
export const eventAttributes = {
  'memwatcher.memory_leak.state': {
    type: 'string',
    values: STATES,
    optional: true,
    description:
      'watching: nothing is held against it; suspected: it grows as leaks do, for too short a ' +
      'time to be sure; confirmed: it leaks; resolved: it did, and no longer does',
  },
  'memwatcher.memory_leak.previous_state': {
    type: 'string',
    values: STATES,
    description: 'What it was before',
  },
  'memwatcher.memory_leak.class': {
    type: 'string',
    values: CLASSES,
    optional: true,
    description:
      'leak; filling: a cache or pool that still fills; churn: comes and goes; retention: freed, ' +
      'but kept by the allocator. Absent where too little was seen',
  },
  'memwatcher.memory_leak.kind': {
    type: 'string',
    values: LEAK_KINDS,
    optional: true,
    description:
      'Of a leak. lost: nothing in the process points to its blocks any more; growing: something ' +
      'still does, as far as is known. Absent of the kernel',
  },
  'memwatcher.memory_leak.lost.size': {
    type: 'int',
    optional: true,
    description: 'Bytes that nothing points to any more; absent before two scans of the process',
    example: 4096,
  },
  'memwatcher.memory_leak.lost.allocations': {
    type: 'int',
    optional: true,
    description: 'Allocations that nothing points to any more',
    example: 64,
  },
  'memwatcher.memory_leak.confidence': {
    type: 'double',
    optional: true,
    description: 'Of the class, 0 to 1',
    example: 0.97,
  },
  'memwatcher.memory_leak.coverage': {
    type: 'double',
    description: 'Share of allocations and frees that the verdict rests on, 0 to 1',
    example: 1,
  },
  'memwatcher.memory_leak.reason': {
    type: 'string',
    description: 'What the verdict rests on, in a sentence',
    example:
      'the floor rose in 9 of 9 windows, and 98 % of what is older than a window is still there',
  },
  'memwatcher.memory_leak.size': {
    type: 'int',
    description: 'Outstanding bytes: allocated and not freed; an estimate where sampled',
    example: 1048576,
  },
  'memwatcher.memory_leak.size.error': {
    type: 'int',
    optional: true,
    description: 'Standard error of the estimate, bytes; absent where every allocation is recorded',
    example: 65536,
  },
  'memwatcher.memory_leak.allocations': {
    type: 'int',
    description: 'Outstanding allocations',
    example: 1024,
  },
  'memwatcher.memory_leak.growth': {
    type: 'double',
    optional: true,
    description: 'Of the floor of outstanding bytes, bytes an hour',
    example: 1048576,
  },
  'memwatcher.memory_leak.first_seen': {
    type: 'string',
    description: 'When the stack first allocated while it was watched, ISO 8601',
    example: '2026-11-23T09:25:34.853Z',
  },
  'memwatcher.memory_leak.age.p50': age('Half of what is outstanding is older, seconds'),
  'memwatcher.memory_leak.age.p90': age('A tenth of what is outstanding is older, seconds'),
  'memwatcher.memory_leak.age.oldest': age('Age of the oldest outstanding allocation, seconds'),
  'code.stacktrace': {
    type: 'string',
    description: 'The stack, innermost first, a frame a line as the live view shows it',
    example: '0000000000401156: make_node @ 0x1140+0x16 /src/list.c:12',
  },
} as const satisfies Readonly<Record<string, AttributeSpec>>;

function age(description: string) {
  return { type: 'double', optional: true, description, example: 40.5 } as const;
}
