// Generated from procstat.bpf.c by `npm run gen`; do not edit.

/** struct cpu, 16 bytes. */
export interface Cpu {
  readonly possible: number;
  readonly offset: number;
}

/** struct probe, 1024 bytes. */
export interface Probe {
  /** 128 elements. */
  readonly head: readonly number[];
}

/** struct procstat_activity, 32 bytes. */
export interface ProcstatActivity {
  readonly voluntary_switches: number;
  readonly involuntary_switches: number;
  readonly minor_faults: number;
  readonly major_faults: number;
}

/** struct procstat_memory, 96 bytes. */
export interface ProcstatMemory {
  readonly total_vm: number;
  readonly hiwater_vm: number;
  readonly hiwater_rss: number;
  readonly locked_vm: number;
  readonly data_vm: number;
  readonly stack_vm: number;
  readonly page_table_bytes: number;
  readonly hugetlb: number;
  /** 4 elements. */
  readonly counters: readonly number[];
}

/** struct procstat_process, 248 bytes. */
export interface ProcstatProcess {
  readonly kind: number;
  readonly pid: number;
  readonly ppid: number;
  readonly uid: number;
  readonly has_memory: number;
  readonly cgroup_v1: number;
  readonly cgroup: number;
  readonly start_time: number;
  readonly memory: ProcstatMemory;
  readonly activity: ProcstatActivity;
  /** char[16]. */
  readonly comm: string;
  /** char[64]. */
  readonly executable: string;
}

/** struct procstat_thread, 160 bytes. */
export interface ProcstatThread {
  readonly kind: number;
  readonly pid: number;
  readonly activity: ProcstatActivity;
  /** 4 elements. */
  readonly unfolded: readonly number[];
  readonly has_memory: number;
  readonly padding: number;
  readonly memory: ProcstatMemory;
}

/** struct recorded, 120 bytes. */
export interface Recorded {
  readonly start_time: number;
  readonly read_at: number;
  readonly missed: number;
  readonly memory: ProcstatMemory;
}

/** struct scratch, 528 bytes. */
export interface Scratch {
  readonly process: ProcstatProcess;
  readonly thread: ProcstatThread;
  readonly recorded: Recorded;
}
