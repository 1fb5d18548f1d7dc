import * as z from 'zod';
import { filterConfig, userFilterConfig } from '../../core/identity/filter.js';
import { processAttributes } from '../../core/identity/who.js';
import { defineMetadata } from '../../core/metadata.js';
import { SORTS } from './select.js';

/** What says whose memory it is. A series for a group or for all others lacks what differs in it. */
const WHOSE = [
  'process.pid',
  'process.creation.time',
  'process.executable.name',
  'process.command',
  'process.command_line',
  'process.linux.cgroup',
  'container.id',
  'k8s.pod.uid',
  'memwatcher.process.other',
] as const;

export const metadata = defineMetadata({
  name: 'procstat',
  title: 'Memory of processes',
  description:
    'What each process holds of memory, to the page: resident by kind, swapped, virtual, page ' +
    'tables, peak; and its context switches and page faults. Read from the kernel by one pass over ' +
    'all tasks, without /proc. The largest processes are series of their own, the rest is one.',
  attributes: {
    ...processAttributes,
    'process.command': {
      type: 'string',
      optional: true,
      description: 'First word of its command line, as it may have been rewritten by itself',
      example: '/usr/bin/postgres',
    },
    'process.command_line': {
      type: 'string',
      optional: true,
      description: 'Whole command line; only with `command_line`, as it may hold secrets',
      example: 'postgres -D /var/lib/postgresql',
    },
    'memwatcher.process.other': {
      type: 'boolean',
      optional: true,
      description: 'true on the one series that sums all processes without a series of their own',
    },
    'memwatcher.process.memory.rss.type': {
      type: 'string',
      values: ['anon', 'file', 'shmem'],
      description: 'Anonymous pages, pages of mapped files, pages of shared memory',
    },
    'process.context_switch.type': {
      type: 'string',
      values: ['voluntary', 'involuntary'],
      description: 'Whether the thread waited, or was preempted',
    },
    'system.paging.fault.type': {
      type: 'string',
      values: ['minor', 'major'],
      description: 'Whether the page was in memory, or had to be read from disk',
    },
  },
  metrics: {
    'process.memory.usage': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Resident memory now, the sum over its types (VmRSS)',
      attributes: WHOSE,
    },
    'process.memory.virtual': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Virtual memory (VmSize)',
      attributes: WHOSE,
    },
    'memwatcher.process.memory.peak': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'The most that was ever resident (VmHWM); of several processes the sum of peaks',
      attributes: WHOSE,
    },
    'memwatcher.process.memory.rss': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Resident memory by type (RssAnon, RssFile, RssShmem)',
      attributes: [...WHOSE, 'memwatcher.process.memory.rss.type'],
    },
    'memwatcher.process.memory.swap': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Anonymous memory that is swapped out (VmSwap)',
      attributes: WHOSE,
    },
    'memwatcher.process.memory.data': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Virtual size of private writable mappings (VmData)',
      attributes: WHOSE,
    },
    'memwatcher.process.memory.stack': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Virtual size of the main stack (VmStk)',
      attributes: WHOSE,
    },
    'memwatcher.process.memory.page_table': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Page tables that map the process (VmPTE)',
      attributes: WHOSE,
    },
    'memwatcher.process.memory.locked': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Virtual size of locked mappings (VmLck)',
      attributes: WHOSE,
    },
    'memwatcher.process.memory.hugetlb': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Pages of hugetlbfs (HugetlbPages), which are not part of resident memory',
      attributes: WHOSE,
    },
    'process.context_switches': {
      kind: 'counter',
      unit: '{context_switch}',
      description: 'Times that its threads were switched out, threads that have exited included',
      attributes: [...WHOSE, 'process.context_switch.type'],
    },
    'process.paging.faults': {
      kind: 'counter',
      unit: '{fault}',
      description: 'Page faults of its threads, threads that have exited included',
      attributes: [...WHOSE, 'system.paging.fault.type'],
      enabled: false,
    },
    'memwatcher.process.memory.virtual_peak': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'The most virtual memory that it ever had (VmPeak)',
      attributes: WHOSE,
      enabled: false,
    },
    'memwatcher.process.count': {
      kind: 'updowncounter',
      unit: '{process}',
      description: 'Processes that the series stands for; 1 unless grouped or other',
      attributes: WHOSE,
      enabled: false,
    },
  },
  events: {},
  spans: {},
  config: z.strictObject({
    top: z
      .int()
      .min(0)
      .max(100_000)
      .default(50)
      .describe('series of their own; the rest is summed into one. 0: every process'),
    sort: z.enum(SORTS).default('usage').describe('which figure decides who is largest'),
    by: z
      .enum(['process', 'executable', 'container'])
      .default('process')
      .describe('what is one series; processes outside of containers are one together'),
    ...filterConfig,
    ...userFilterConfig,
    command_line: z
      .boolean()
      .default(false)
      .describe('report whole command lines; they may hold secrets'),
    command_length: z
      .int()
      .min(16)
      .max(4096)
      .default(256)
      .describe('characters of a command or command line that are kept'),
    capacity: z
      .int()
      .min(64)
      .max(4_194_304)
      .default(16_384)
      .describe('processes that the strategies with a hash map can follow'),
  }),
});

export type ProcstatMetadata = typeof metadata;
