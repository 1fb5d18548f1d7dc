/**
 * Names for addresses. Of processes: ELF symbols, DWARF lines and inline chains, debug files, JIT
 * maps; the work is done in a child process without privileges, for the files are anybody's. Of the
 * kernel: kallsyms.
 */
import type { Closable } from '../scope.js';
import type { Frame } from './frame.js';

/** The memory map of a process, kept so that its addresses have names after it has gone. */
export interface ProcessMap {
  readonly pid: number;
  /** Since boot, clock ticks: a pid is given out again. 0 of who has gone. */
  readonly startTicks: number;
  /** By address. */
  readonly modules: readonly MappedModule[];
  /** Whether the map was too long to be read whole; then what is missing is not in `modules`. */
  readonly cut: boolean;
  /** Its pid in its own pid namespace, and its effective user: whose JIT map counts. */
  readonly innerPid: number;
  readonly user: number;
  /** Where its paths lead, if that is not where the agent's do (`foreignRootOf`). */
  readonly root?: string;
  find(address: bigint): MappedModule | undefined;
}

/** A file that is mapped executable. */
export interface MappedModule {
  readonly start: bigint;
  /** Exclusive. */
  readonly end: bigint;
  /** Bytes into the file at `start`. */
  readonly fileOffset: bigint;
  /** As /proc/PID/maps has it, without ` (deleted)`; `[vdso]`; empty for anonymous memory. */
  readonly path: string;
  readonly deleted: boolean;
  readonly device: string;
  readonly inode: number;
  /** Which file it is and as of when (`fileIdOf`); absent if it could not be opened. */
  readonly file?: string;
  /** Hex; absent if it has none or was not read. Not proof: whoever links a file chooses it. */
  readonly buildId?: string;
  /** Where the file's code belongs by its program headers; absent if it could not be read. */
  readonly segments?: readonly Segment[];
}

/** A PT_LOAD program header of code. */
export interface Segment {
  readonly fileOffset: bigint;
  readonly address: bigint;
  /** Bytes in the file. */
  readonly size: bigint;
}

export interface Symbolizer extends Closable {
  /** As `readProcessMap`, and keeps the files open, so that they have names when it is gone. */
  readMap(pid: number): ProcessMap;
  /**
   * The frames of each address, innermost inlined first, at least one each. Never throws for what a
   * file holds: an address that cannot be named has a frame with `lack`. `calls`: the addresses are
   * return addresses, whose line is that of the call before.
   */
  symbolize(
    map: ProcessMap,
    addresses: readonly bigint[],
    options?: { readonly calls?: boolean; readonly deadlineMs?: number },
  ): Promise<ReadonlyMap<bigint, readonly Frame[]>>;
  readonly statistics: {
    readonly cached: number;
    readonly unresolved: number;
    /** Times that the child had to be started again after it died or hung. */
    readonly restarts: number;
  };
}
