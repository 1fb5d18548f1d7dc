/** What sysstat knows of the system's memory. Bytes; `undefined` is what this kernel does not say. */

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

/** A zone that has pages. */
export interface Zone {
  /** `DMA`, `DMA32`, `Normal`, `Movable`. */
  readonly name: string;
  /** All pages of the zone, and those of them that the page allocator manages. */
  readonly present: number;
  readonly managed: number;
  readonly free: number;
  /** Free memory below which the allocator does something, the boost included. */
  readonly watermark: {
    readonly min: number;
    readonly low: number;
    readonly high: number;
  };
}

export interface Node {
  readonly id: number;
  readonly memory: Memory;
  readonly zones: readonly Zone[];
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
