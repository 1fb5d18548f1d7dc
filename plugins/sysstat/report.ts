import { reportZones } from '../../core/memory/zones.js';
import type { PointWriter } from '../../core/telemetry/points.js';
import type { Memory, Node, SysstatRecords } from './memory.js';
import type { SysstatMetadata } from './metadata.js';

type Out = PointWriter<SysstatMetadata>;

/** A snapshot as metric points: the host, its nodes, their zones. */
export function report(records: SysstatRecords, out: Out): void {
  reportHost(records.host, out);
  for (const node of records.nodes) reportNode(node, out);
  reportZones(records.nodes, out);
}

function reportHost(host: Memory, out: Out): void {
  for (const { type, state, bytes } of lruOf(host)) {
    out.point('memwatcher.memory.lru', bytes, {
      'memwatcher.memory.lru.type': type,
      'memwatcher.memory.lru.state': state,
    });
  }
  for (const { state, bytes } of writebackOf(host)) {
    out.point('memwatcher.memory.writeback', bytes, { 'memwatcher.memory.writeback.state': state });
  }
  for (const { type, bytes } of mappedOf(host)) {
    out.point('memwatcher.memory.mapped', bytes, { 'memwatcher.memory.mapped.type': type });
  }
  for (const { type, bytes } of hugePagesOf(host)) {
    out.point('memwatcher.memory.transparent_hugepage', bytes, {
      'memwatcher.memory.transparent_hugepage.type': type,
    });
  }
  for (const { state, bytes } of slabOf(host)) {
    out.point('system.memory.linux.slab.usage', bytes, { 'system.memory.linux.slab.state': state });
  }
  out.point('memwatcher.memory.kernel_reclaimable', host.kernelReclaimable, {});
  out.point('system.memory.linux.shared', host.shmem, {});
}

function reportNode({ id, memory }: Node, out: Out): void {
  const node = { 'memwatcher.numa.node': id };
  for (const { type, state, bytes } of lruOf(memory)) {
    out.point('memwatcher.numa.memory.lru', bytes, {
      ...node,
      'memwatcher.memory.lru.type': type,
      'memwatcher.memory.lru.state': state,
    });
  }
  for (const { state, bytes } of writebackOf(memory)) {
    out.point('memwatcher.numa.memory.writeback', bytes, {
      ...node,
      'memwatcher.memory.writeback.state': state,
    });
  }
  for (const { type, bytes } of mappedOf(memory)) {
    out.point('memwatcher.numa.memory.mapped', bytes, {
      ...node,
      'memwatcher.memory.mapped.type': type,
    });
  }
  for (const { type, bytes } of hugePagesOf(memory)) {
    out.point('memwatcher.numa.memory.transparent_hugepage', bytes, {
      ...node,
      'memwatcher.memory.transparent_hugepage.type': type,
    });
  }
  for (const { state, bytes } of slabOf(memory)) {
    out.point('memwatcher.numa.memory.slab', bytes, {
      ...node,
      'system.memory.linux.slab.state': state,
    });
  }
  out.point('memwatcher.numa.memory.kernel_reclaimable', memory.kernelReclaimable, node);
  out.point('memwatcher.numa.memory.shared', memory.shmem, node);
}

const lruOf = (memory: Memory) =>
  [
    { type: 'anon', state: 'active', bytes: memory.activeAnon },
    { type: 'anon', state: 'inactive', bytes: memory.inactiveAnon },
    { type: 'file', state: 'active', bytes: memory.activeFile },
    { type: 'file', state: 'inactive', bytes: memory.inactiveFile },
    { type: undefined, state: 'unevictable', bytes: memory.unevictable },
  ] as const;

const writebackOf = (memory: Memory) =>
  [
    { state: 'dirty', bytes: memory.dirty },
    { state: 'writeback', bytes: memory.writeback },
    { state: 'temporary', bytes: memory.writebackTemp },
    { state: 'nfs_unstable', bytes: memory.nfsUnstable },
  ] as const;

const mappedOf = (memory: Memory) =>
  [
    { type: 'anon', bytes: memory.anonPages },
    { type: 'file', bytes: memory.mapped },
  ] as const;

const hugePagesOf = (memory: Memory) =>
  [
    { type: 'anon', bytes: memory.anonHugePages },
    { type: 'shmem', bytes: memory.shmemHugePages },
    { type: 'file', bytes: memory.fileHugePages },
  ] as const;

const slabOf = (memory: Memory) =>
  [
    { state: 'reclaimable', bytes: memory.slabReclaimable },
    { state: 'unreclaimable', bytes: memory.slabUnreclaimable },
  ] as const;
