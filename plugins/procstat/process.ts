/** What is known of one process at one moment. Plain data: made by the decoder, summed by `select`. */

/** Bytes; the words of /proc/PID/status and of the original beside them. */
export interface Memory {
  /** Resident now: VmRSS. */
  usage: number;
  /** The most that was ever resident: VmHWM, the original's `size`. */
  peak: number;
  /** VmSize, `vsize`. */
  virtual: number;
  /** VmPeak. */
  virtualPeak: number;
  /** RssAnon, RssFile, RssShmem. */
  anon: number;
  file: number;
  shmem: number;
  /** VmSwap, `vswap`. */
  swap: number;
  /** VmData, `vdata`. */
  data: number;
  /** VmStk, `vstk`. */
  stack: number;
  /** VmPTE, `vpte`. */
  pageTables: number;
  /** VmLck. */
  locked: number;
  /** HugetlbPages; not part of `usage`. */
  hugetlb: number;
}

/** Counted since the process began, over its threads, those that have exited included. */
export interface Activity {
  voluntarySwitches: number;
  involuntarySwitches: number;
  minorFaults: number;
  majorFaults: number;
}

export interface Figures extends Memory, Activity {}

export interface Process extends Figures {
  readonly pid: number;
  readonly ppid: number;
  /** Real user id, as the initial user namespace knows it. */
  readonly uid: number;
  /** CLOCK_BOOTTIME ns. With the pid it is the process's identity: pids are used again. */
  readonly startNs: number;
  /** Unix ms. */
  readonly startTime: number;
  /** The leader's name, which any thread of the process can change. At most 15 bytes. */
  readonly comm: string;
  /** Base name of the file that it runs; `comm` where the kernel no longer says. */
  readonly executable: string;
  /** kernfs id; 0 if unknown. */
  readonly cgroupId: number;
  /** The id is of the memory controller's own hierarchy (v1). */
  readonly cgroupV1: boolean;
  /** Threads alive. */
  readonly threads: number;
}

export const MEMORY_FIELDS = [
  'usage',
  'peak',
  'virtual',
  'virtualPeak',
  'anon',
  'file',
  'shmem',
  'swap',
  'data',
  'stack',
  'pageTables',
  'locked',
  'hugetlb',
] as const satisfies readonly (keyof Memory)[];

export const ACTIVITY_FIELDS = [
  'voluntarySwitches',
  'involuntarySwitches',
  'minorFaults',
  'majorFaults',
] as const satisfies readonly (keyof Activity)[];

export const noFigures = (): Figures => ({
  usage: 0,
  peak: 0,
  virtual: 0,
  virtualPeak: 0,
  anon: 0,
  file: 0,
  shmem: 0,
  swap: 0,
  data: 0,
  stack: 0,
  pageTables: 0,
  locked: 0,
  hugetlb: 0,
  voluntarySwitches: 0,
  involuntarySwitches: 0,
  minorFaults: 0,
  majorFaults: 0,
});
