import * as z from 'zod';
import { duration } from '../../core/config/units.js';
import { zoneAttributes, zoneMetrics } from '../../core/memory/zones.js';
import { defineMetadata } from '../../core/metadata.js';

const node = 'memwatcher.numa.node';

/**
 * Host and nodes are metrics of their own (`memwatcher.memory.*`, `memwatcher.numa.memory.*`): in
 * one metric every sum over it would count the host twice.
 */
export const metadata = defineMetadata({
  name: 'sysstat',
  title: 'System memory',
  description:
    'Memory of the host and of every NUMA node by what it is used for, and the free memory and ' +
    'watermarks of every zone, read from the kernel’s own counters on a timer, with no hook.',
  attributes: {
    ...zoneAttributes,
    'memwatcher.memory.lru.type': {
      type: 'string',
      description:
        'What backs the pages: swap (anon) or a file; unevictable ones are not told apart',
      values: ['anon', 'file'],
      optional: true,
    },
    'memwatcher.memory.lru.state': {
      type: 'string',
      description: 'The list on which reclaim keeps the pages',
      values: ['active', 'inactive', 'unevictable'],
    },
    'memwatcher.memory.writeback.state': {
      type: 'string',
      description:
        'dirty: to be written; writeback: being written; temporary: copies that FUSE writes from ' +
        '(gone in recent kernels); nfs_unstable: sent, not yet committed (part of writeback ' +
        'since 5.8)',
      values: ['dirty', 'writeback', 'temporary', 'nfs_unstable'],
    },
    'memwatcher.memory.mapped.type': {
      type: 'string',
      description: 'file includes shared memory',
      values: ['anon', 'file'],
    },
    'memwatcher.memory.transparent_hugepage.type': {
      type: 'string',
      description: 'What the huge pages hold',
      values: ['anon', 'shmem', 'file'],
    },
    'system.memory.linux.slab.state': {
      type: 'string',
      description: 'Whether the kernel can give the slab memory back under pressure',
      values: ['reclaimable', 'unreclaimable'],
    },
  },
  metrics: {
    'memwatcher.memory.lru': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Memory on the reclaim lists',
      attributes: ['memwatcher.memory.lru.type', 'memwatcher.memory.lru.state'],
    },
    'memwatcher.memory.writeback': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Memory on its way to storage',
      attributes: ['memwatcher.memory.writeback.state'],
    },
    'memwatcher.memory.mapped': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Memory mapped into processes, each page counted once',
      attributes: ['memwatcher.memory.mapped.type'],
    },
    'memwatcher.memory.kernel_reclaimable': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Kernel memory that can be given back under pressure, reclaimable slab included',
      attributes: [],
    },
    'memwatcher.memory.transparent_hugepage': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Memory in transparent huge pages',
      attributes: ['memwatcher.memory.transparent_hugepage.type'],
    },
    'system.memory.linux.shared': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Shared memory (shmem and tmpfs)',
      attributes: [],
    },
    'system.memory.linux.slab.usage': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Memory that the kernel’s object caches (slab) hold',
      attributes: ['system.memory.linux.slab.state'],
    },
    'memwatcher.numa.memory.lru': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Memory of the node on the reclaim lists',
      attributes: [node, 'memwatcher.memory.lru.type', 'memwatcher.memory.lru.state'],
    },
    'memwatcher.numa.memory.writeback': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Memory of the node on its way to storage',
      attributes: [node, 'memwatcher.memory.writeback.state'],
    },
    'memwatcher.numa.memory.mapped': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Memory of the node mapped into processes, each page counted once',
      attributes: [node, 'memwatcher.memory.mapped.type'],
    },
    'memwatcher.numa.memory.kernel_reclaimable': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Kernel memory of the node that can be given back under pressure',
      attributes: [node],
    },
    'memwatcher.numa.memory.transparent_hugepage': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Memory of the node in transparent huge pages',
      attributes: [node, 'memwatcher.memory.transparent_hugepage.type'],
    },
    'memwatcher.numa.memory.shared': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Shared memory (shmem and tmpfs) of the node',
      attributes: [node],
    },
    'memwatcher.numa.memory.slab': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Memory of the node that the kernel’s object caches (slab) hold',
      attributes: [node, 'system.memory.linux.slab.state'],
    },
    ...zoneMetrics,
  },
  events: {},
  spans: {},
  config: z.strictObject({
    nodes: z
      .array(z.int().min(0))
      .default([])
      .describe('NUMA nodes to report; empty: all. The host’s figures are of all nodes either way'),
    hook_interval: duration({ min: 1 })
      .default(100)
      .describe('strategies with a hook read at most this often'),
  }),
});
export type SysstatMetadata = typeof metadata;
