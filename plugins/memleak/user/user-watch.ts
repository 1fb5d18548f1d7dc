/**
 * Allocations of processes: the BPF object, the processes that it follows, and what it holds.
 * `targets/` decides who is followed and which functions of which files are probed.
 */
import type { BpfLink } from '../../../core/bpf/host.js';
import type { Closable } from '../../../core/scope.js';
import type { Coverage, ProcessId, Reading } from '../model.js';

/**
 * How a function takes its arguments and gives its memory.
 *
 *   malloc          size 1st; returns the address (also valloc, pvalloc, operator new)
 *   calloc          count 1st, size 2nd
 *   realloc         old address 1st, size 2nd
 *   reallocarray    old address 1st, count 2nd, size 3rd
 *   aligned_alloc   size 2nd (also memalign)
 *   posix_memalign  where to store the address 1st, size 3rd; returns 0
 *   free            address 1st (also operator delete)
 *   new             operator new that passes malloc: an entry probe alone, which says who the direct
 *                   caller is; malloc inside of it gives size and address. Never a return probe: an
 *                   exception (std::bad_alloc) that meets one ends the process (std::terminate)
 *   mmap            size 2nd; fails with -1 · munmap address 1st, size 2nd · mremap old, size, new size
 *   sbrk            bytes 1st, signed; returns where the new memory begins, -1 on failure. What is
 *                   given back (bytes below 0) ends at the returned address
 */
export const SHAPES = [
  'malloc',
  'calloc',
  'realloc',
  'reallocarray',
  'aligned_alloc',
  'posix_memalign',
  'free',
  'new',
  'mmap',
  'munmap',
  'mremap',
  'sbrk',
] as const;
export type Shape = (typeof SHAPES)[number];

/** Whether it gives memory: of the others nobody asks what they return. */
export const hasResult = (shape: Shape): boolean => !['free', 'munmap', 'new'].includes(shape);

/** A function of a file, where a probe goes. */
export interface ProbeSite {
  readonly shape: Shape;
  readonly symbol: string;
  /**
   * Bytes into the file where the probes are put (core/elf/probe-site.ts): the stack is there what it
   * is where the function begins.
   */
  readonly offset: number;
  /** Bytes into the file where the function begins: where the probe of `new` is put. */
  readonly entry: number;
  /**
   * Of one that may leave by an exception, which a return probe would make fatal (an operator new that
   * does not pass malloc): bytes into the file of its `ret` instructions, where its result is seen instead.
   */
  readonly exits?: readonly number[];
  /**
   * It calls no other function that is probed (glibc's calloc, everybody's malloc): a session then
   * leaves out the return of calls that are not sampled. By the symbol if not said.
   */
  readonly leaf?: boolean;
}

/** Functions of one file. `path` can be opened by the agent: /proc/PID/root/… or map_files/…. */
export interface ProbedFile {
  readonly path: string;
  readonly sites: readonly ProbeSite[];
}

/**
 * Addresses that may be on a stack: what is executable. [start, end). Of a mapped file
 * (`MappedModule` of core/symbolize) frames are undone as its .eh_frame says; else by frame pointers.
 */
export interface CodeRange {
  readonly start: bigint;
  readonly end: bigint;
}

/** ML_RANGES: more of them are put together, and frames in what lies between may end a stack early. */
export const MAX_RANGES = 512;

/** What happened to processes that are followed, as the kernel saw it, in order. */
export type Happening =
  | { readonly kind: 'exec' | 'exit'; readonly process: ProcessId; readonly time: number }
  | {
      readonly kind: 'fork';
      readonly process: ProcessId;
      readonly child: ProcessId;
      readonly time: number;
    };

export interface UserReadings {
  /** CLOCK_MONOTONIC ns. */
  readonly time: number;
  readonly readings: readonly Reading[];
  readonly coverage: ReadonlyMap<number, Coverage>;
  /** By pid: probe hits since it is followed, of any function. */
  readonly hits: ReadonlyMap<number, number>;
}

export interface Activity {
  /** Probe hits, of any function. */
  readonly hits: number;
  /** Allocations that were recorded. */
  readonly recorded: number;
}

export interface UserWatch extends Closable {
  /** `session`, `multi`, `perf`: the strategy that was loaded. */
  readonly strategy: string;
  /**
   * Begins to record the process; `code` bounds what may be a frame, and may be told again.
   * `inherit`: it begins with what that process, its parent, has outstanding now.
   */
  follow(process: ProcessId, code: readonly CodeRange[], inherit?: ProcessId): void;
  /**
   * Reads how frames of that code are undone, in steps of some milliseconds; `follow` does so at
   * once of what was not prepared.
   */
  prepare?(process: ProcessId, code: readonly CodeRange[]): Generator<undefined, void>;
  /** Forgets the process and all that it holds. Its links are the caller's to close. */
  forget(process: ProcessId): void;
  /** Probes a file's functions in one process. Closing the link detaches. */
  attach(process: ProcessId, file: ProbedFile): BpfLink;
  /**
   * Probes them in every process, for those that are in the group: one link costs each of them the same,
   * however many there are, and costs all others a hit. By `session` alone: the others would put return
   * probes on everybody's stack.
   */
  attachShared(group: number, file: ProbedFile): BpfLink;
  /**
   * A process that is followed, or will be, is seen by the links of this group from now on, 1 to 65,535; 0: by
   * its own. `also`: and by those of that group, until they are closed: nothing is missed and nothing counted twice.
   */
  join(process: ProcessId, group: number, also?: number): void;
  /** Hits of shared links by processes that are not followed, since the beginning. */
  strangerHits(): number;
  /**
   * Mean bytes between samples; 0: all. Holds for allocations from now on, of a process that is followed,
   * or of all, those to come among them.
   */
  setSampling(interval: number, process?: ProcessId): void;
  /** All stacks with outstanding allocations; `ages` costs a pass over every live allocation. */
  read(options: { readonly ages: boolean }): UserReadings;
  /** By pid, since it is followed: cheap, for who asks every second. */
  activity(): ReadonlyMap<number, Activity>;
  /** Since the last call. */
  happenings(): readonly Happening[];
}
