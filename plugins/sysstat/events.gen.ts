// Generated from sysstat.bpf.c by `npm run gen`; do not edit.

/** struct sysstat_items, 144 bytes. */
export interface SysstatItems {
  readonly active_anon: number;
  readonly inactive_anon: number;
  readonly active_file: number;
  readonly inactive_file: number;
  readonly unevictable: number;
  readonly dirty: number;
  readonly writeback: number;
  readonly writeback_temp: number;
  readonly nfs_unstable: number;
  readonly anon_mapped: number;
  readonly file_mapped: number;
  readonly shmem: number;
  readonly kernel_misc_reclaimable: number;
  readonly slab_reclaimable: number;
  readonly slab_unreclaimable: number;
  readonly anon_huge: number;
  readonly shmem_huge: number;
  readonly file_huge: number;
}

/** struct sysstat_node, 752 bytes. */
export interface SysstatNode {
  readonly begun: number;
  readonly ended: number;
  readonly read_at: number;
  readonly known: number;
  readonly items: SysstatItems;
  /** 8 elements. */
  readonly zones: readonly ZoneState[];
}

/** struct zone_state, 72 bytes. */
export interface ZoneState {
  /** char[16]. */
  readonly name: string;
  readonly present: number;
  readonly managed: number;
  readonly free: number;
  readonly watermark_min: number;
  readonly watermark_low: number;
  readonly watermark_high: number;
  readonly watermark_boost: number;
}
