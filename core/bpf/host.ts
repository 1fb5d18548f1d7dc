/**
 * What the agent needs of BPF, without saying how: `libbpf.ts` implements it by FFI, the tests'
 * fake in memory.
 *
 * Two layers. A `BpfObject` is libbpf's: opened from a file, its constants set, its programs
 * chosen, then loaded, attached and closed. A `LoadedBpf` is a plugin's: an object that a strategy
 * has already loaded and attached (`core/kernel/loader.ts` tries them in order), with maps and
 * records by name. Plugins see only the second.
 *
 * Nothing here is called per event: maps and rings are read through mapped memory.
 */
import type { Closable } from '../scope.js';
import type { StructLayout } from './layout.js';

/** What is closed here is gone when `close` returns. */
export interface BpfClosable extends Closable {
  close(): void;
}

export interface BpfHost {
  /** Parses an object file; nothing is in the kernel yet. BPF_OPEN_FAILED if it is not one. */
  open(file: string, options?: OpenOptions): BpfObject;
}

export interface OpenOptions {
  /** BTF of the kernel for kernels without /sys/kernel/btf/vmlinux. */
  readonly btfFile?: string;
  /** Where libbpf's and the verifier's words go. */
  readonly log?: (level: 'warn' | 'info' | 'debug', text: string) => void;
}

export interface ProgramSpec {
  readonly name: string;
  /** The ELF section, for instance `tp_btf/sched_switch`. */
  readonly section: string;
}

export interface MapSpec {
  readonly name: string;
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly mmapable: boolean;
}

export interface BpfObject extends BpfClosable {
  readonly programs: readonly ProgramSpec[];
  /** All that the file declares; once loaded, those that are in the kernel. */
  readonly maps: readonly MapSpec[];

  // before load
  /** Sets a `const volatile` global. LAYOUT_INVALID if there is none of that name and size. */
  setConstant(name: string, value: number | bigint | boolean): void;
  setMaxEntries(map: string, entries: number): void;
  /** A hash map's elements are made as they come, and not all at load. */
  allocateOnDemand(map: string): void;
  /**
   * Binds a program to another function or tracepoint than its section names. What tracing
   * programs (fentry, fexit, tp_btf) need before load; the others may be told at `attach` as well.
   */
  setHook(program: string, hook: string): void;
  /** How a program of the section uprobe or uretprobe will be attached; `perf` if not said. */
  setUprobeKind(program: string, kind: UprobeKind): void;
  /** Loads these programs and no others. */
  selectPrograms(names: readonly string[]): void;
  /** Maps that this kernel cannot make, or that the selected programs do not use. */
  omitMaps(names: readonly string[]): void;
  /** BPF_LOAD_FAILED with the verifier's last lines as `detail`. All or nothing. */
  load(): void;

  // after load
  /** Attaches by the section's kind. BPF_ATTACH_FAILED, or NotSupported where the hook is absent. */
  attach(program: string, target?: AttachTarget): BpfLink;
  /**
   * Probes functions of one file. TARGET_GONE if the process or the file is no more; else
   * BPF_ATTACH_FAILED or PERMISSION_DENIED. All of the offsets, or none.
   */
  attachUprobes(program: string, target: UprobeTarget): BpfLink;
  /** Runs a raw_tp or syscall program once, on this CPU unless `cpu` is given. */
  run(program: string, options?: RunOptions): RunResult;
  map(name: string): BpfMap;
  /**
   * An integer variable of `.bss` or `.data` by its name, wherever the compiler put it.
   * LAYOUT_INVALID if there is none.
   */
  global(name: string): BpfGlobal;
  /** Layout of a struct or of a global's type in the object's own BTF. */
  layout(struct: string): StructLayout;
  /** Figures that the kernel keeps of a loaded program. */
  programInfo(program: string): ProgramInfo;
}

/** What the section's name does not say. */
export interface AttachTarget {
  /** kprobe, fentry, tracepoint: another function or tracepoint than the section names. */
  readonly hook?: string;
  /** iter/bpf_map_elem: this object's map whose elements a pass visits. */
  readonly map?: string;
  /** uprobe. */
  readonly binary?: string;
  readonly offset?: number | bigint;
  readonly pid?: number;
  readonly isReturn?: boolean;
}

/**
 * How a program is put on functions of user space.
 *
 *   perf     a perf event an offset; every kernel, by CAP_SYS_ADMIN; slow to detach
 *   multi    one link for many offsets, entry or return
 *   session  the same, and the program runs on entry and on return of each call
 */
export const UPROBE_KINDS = ['perf', 'multi', 'session'] as const;
export type UprobeKind = (typeof UPROBE_KINDS)[number];

/** Functions of one file, in one process or in all. */
export interface UprobeTarget {
  /** As the agent can open it, for instance below /proc/PID/root. */
  readonly path: string;
  /** Bytes into the file. */
  readonly offsets: readonly number[];
  /** At the functions' return; as the section says if not given. Sessions see both. */
  readonly isReturn?: boolean;
  /** All threads of this process; every process that maps the file if not given. */
  readonly pid?: number;
  /** One an offset, for bpf_get_attach_cookie; `perf` has it since kernel 5.15. */
  readonly cookies?: readonly (number | bigint)[];
}

export interface BpfLink extends BpfClosable {
  /**
   * As `close`, without holding up who calls: the kernel takes a tenth of a second to detach each
   * perf event. Resolves when it is gone; absent where `close` is quick.
   */
  closeSoon?(): Promise<void>;
  readonly program: string;
  /**
   * Iterators only: runs one pass and gives what the program wrote by bpf_seq_write. The bytes are
   * valid until the next pass of this link. `step`: the kernel ends a read(2) after so many bytes; the
   * next read continues after the last element. Half of the kernel's buffer (16 KiB) at most: an
   * element that finds the buffer full is visited again.
   */
  readAll(step?: number): Uint8Array;
}

export interface RunOptions {
  readonly cpu?: number;
  /** Bytes handed to the program as its context; a raw tracepoint's arguments are u64 each. */
  readonly context?: Uint8Array;
}

export interface RunResult {
  readonly retval: number;
}

export interface ProgramInfo {
  readonly id: number;
  /** 0 unless the kernel's statistics are on (kernel.bpf_stats_enabled). */
  readonly runCount: number;
  readonly runTimeNs: number;
  /** undefined on kernels before 5.12. */
  readonly recursionMisses: number | undefined;
  /** Instructions that the verifier walked; undefined on kernels before 5.16. */
  readonly verifiedInstructions: number | undefined;
}

export interface BpfMap {
  readonly spec: MapSpec;
  readonly id: number;
  /** Bytes of kernel memory that the map holds (`memlock` of its fdinfo). */
  memory(): number;
  /** Share of a ring that waits to be read, 0 to 1; undefined for other maps, and without a reader. */
  readonly fullness: number | undefined;
  /** Control path only: one FFI call each. Values of per-CPU maps are concatenated by CPU. */
  lookup(key: Uint8Array): Uint8Array | undefined;
  /** Of a queue or stack, whose keys have no bytes, it appends. */
  update(key: Uint8Array, value: Uint8Array): void;
  delete(key: Uint8Array): boolean;
  keys(): IterableIterator<Uint8Array>;
  /**
   * All elements of a hash, about `size` of them by each system call. An element that is there from
   * beginning to end comes once, whatever is added or deleted meanwhile.
   */
  batches(size: number): IterableIterator<MapBatch>;
  /** Keys one after another; tells of each whether it was there (1) or not (0). */
  deleteMany(keys: Uint8Array): Uint8Array;
  /**
   * Removes the element of a hash if its value is the one that is meant, and returns that value. A
   * program that reuses the key in between keeps its element.
   */
  takeIf(key: Uint8Array, isMeant: (value: Uint8Array) => boolean): Uint8Array | undefined;
  /** Tells how many were written, from the first on, before one was refused (the map is full). */
  updateMany(keys: Uint8Array, values: Uint8Array): number;
  /** Takes the next element of a queue or stack. */
  pop(): Uint8Array | undefined;
  /** A BPF_F_MMAPABLE array (or .bss) as memory that is live: the kernel writes while you read. */
  mapped(): MappedArray;
  /** This ring buffer's reader; one reader a ring. */
  ring(): RingReader;
}

/** Elements of a hash, one after another; valid until the next batch. */
export interface MapBatch {
  readonly count: number;
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
}

/** A variable that programs and the agent share. Closed with its object, if not before. */
export interface BpfGlobal extends BpfClosable {
  /** Its bits as an unsigned integer. */
  get(): bigint;
  /** LAYOUT_INVALID if the value does not fit the variable's type. */
  set(value: number | bigint | boolean): void;
}

export interface MappedArray extends BpfClosable {
  /** Live. The distance between elements is `stride` (value size rounded up to 8). */
  readonly bytes: Uint8Array;
  readonly stride: number;
  readonly entries: number;
}

export interface RingReader extends BpfClosable {
  /**
   * Hands every record that is ready to `onRecord` and frees it; returns how many. The view is
   * one and the same every time: read at `offset`, copy what you keep.
   */
  drain(onRecord: (view: DataView, offset: number, length: number) => void): number;
  /** Bytes waiting, and the ring's size. */
  readonly fullness: { readonly used: number; readonly size: number };
}

/** A plugin's object, loaded and attached by the strategy that this kernel can do. */
export interface LoadedBpf extends Closable {
  /** The strategy's name in config/kernel/<plugin>.yaml. */
  readonly strategy: string;
  readonly object: BpfObject;
  /** The programs of strategy and parts, attached or run on demand. */
  readonly programs: readonly string[];
  /** The links of strategy and parts by program name. */
  readonly links: ReadonlyMap<string, BpfLink>;
  /** By part of the profile: the choice that was loaded with the strategy; absent if none was. */
  readonly parts: ReadonlyMap<string, string>;
  /** What this kernel does not give: the `lacks` of the parts that were wanted and not loaded. */
  readonly lacks: readonly string[];
}

/** The token that a plugin asks for: picks, loads and attaches a strategy. */
export interface BpfLoader {
  /**
   * Tries the strategies in order of preference (or only the configured one). NO_STRATEGY with
   * every strategy's reason if none works; the rejected ones are recorded either way.
   */
  load(options?: LoadOptions): LoadedBpf;
}

export interface LoadOptions {
  /** One of the metadata's `objects`, by its own profile; the plugin's own object if not given. */
  readonly object?: string;
  /** `const volatile` globals that the plugin sets itself. */
  readonly constants?: Readonly<Record<string, number | bigint | boolean>>;
  readonly maxEntries?: Readonly<Record<string, number>>;
  /**
   * Hash maps that need not be filled with elements at load, where the kernel can make them wherever
   * a program runs (struct bpf_mem_alloc, since 6.1).
   */
  readonly onDemand?: readonly string[];
  /**
   * Throws a coded error if what was loaded and attached does not see after all: the strategy is
   * rejected with its words, and the next is tried.
   */
  readonly verify?: (loaded: LoadedBpf) => void;
  /** Fills the maps that the programs rest on, before one of them can run. Once a load. */
  readonly beforeAttach?: (object: BpfObject) => void;
  /** Parts of the profile that the configuration does without; not lacking then. */
  readonly without?: readonly string[];
}
