/** What sysstat knows of the system's memory. Bytes; `undefined` is what this kernel does not say. */
import type { NodeZones } from '../../core/memory/zones.js';

/** The counters of one node, or of the host: the sum over its nodes. */
export interface Memory {
  /** `activeAnon` and `activeFile`; `inactive` likewise. */
  readonly active: number | undefined;
  readonly inactive: number | undefined;
  readonly activeAnon: number | undefined;
  readonly inactiveAnon: number | undefined;
  readonly activeFile: number | undefined;
  readonly inactiveFile: number | undefined;
  readonly unevictable: number | undefined;
  readonly dirty: number | undefined;
  readonly writeback: number | undefined;
  readonly writebackTemp: number | undefined;
  readonly nfsUnstable: number | undefined;
  /** Anonymous pages that are mapped. */
  readonly anonPages: number | undefined;
  /** Pages of files, shared memory included, that are mapped. */
  readonly mapped: number | undefined;
  readonly shmem: number | undefined;
  /** `slabReclaimable` and what else the kernel gives back under pressure. */
  readonly kernelReclaimable: number | undefined;
  /** `slabReclaimable` and `slabUnreclaimable`. */
  readonly slab: number | undefined;
  readonly slabReclaimable: number | undefined;
  readonly slabUnreclaimable: number | undefined;
  readonly anonHugePages: number | undefined;
  readonly shmemHugePages: number | undefined;
  readonly fileHugePages: number | undefined;
}

export interface Node extends NodeZones {
  readonly memory: Memory;
}

/** One pass over all nodes. */
export interface SysstatRecords {
  readonly host: Memory;
  /** What the page allocator manages, and how much of it is free, over all zones. */
  readonly managed: number;
  readonly free: number;
  /** By number. */
  readonly nodes: readonly Node[];
}
