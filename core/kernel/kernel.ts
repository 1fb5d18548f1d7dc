import type { UprobeKind } from '../bpf/host.js';

/**
 * The running kernel, asked for facts. Decisions rest on facts (a type, a field, a symbol that is
 * there), never on the version number.
 */
export interface Kernel {
  /** uname -r; shown, never decided upon. */
  readonly release: string;
  /** The BTF in use: /sys/kernel/btf/vmlinux, or the file of `--btf`; undefined if there is none. */
  readonly btfPath: string | undefined;
  /** Whether the fact holds, and if not, the sentence that says what is missing. */
  check(fact: Fact): FactResult;
  /** Resolves a strategy's parameter to the value for a `const volatile`. Throws NotSupported. */
  resolve(parameter: Parameter): number | bigint;
  /**
   * The enumerators of an enum in the kernel's order, several of which may share a value; undefined
   * if the kernel has no such enum.
   */
  enumerators(of: EnumName): ReadonlyMap<string, number> | undefined;
  /** The folder of what is known of kernels; undefined: config/kernel of the program. */
  readonly profiles?: string | undefined;
}

/** An enum by its name or, for one without a name, by one of its enumerators. */
export type EnumName = { readonly name: string } | { readonly having: string };

export type FactResult =
  | { readonly holds: true }
  | { readonly holds: false; readonly missing: string };

/** One fact that a strategy needs; exactly one key. As written in config/kernel/<plugin>.yaml. */
export type Fact =
  /**
   * With a prototype, also that these are the types of all its parameters: where a program finds
   * what the function returns depends on how many there are.
   */
  | { readonly btf_function: string; readonly prototype?: readonly string[] }
  | { readonly btf_type: string }
  /** `struct.field`, nested fields by more dots, `[n]` for an element of an array. */
  | { readonly btf_field: string }
  /** `enum_name.ENUMERATOR`; of an anonymous enum `ENUMERATOR`. */
  | { readonly btf_enumerator: string }
  /**
   * The prototype of `btf_trace_<name>`: the types of its first parameters in order, without the
   * leading `void *`. Parameters that a kernel adds at the end do not matter.
   */
  | { readonly tracepoint: string; readonly prototype?: readonly string[] }
  /** `available_events` of tracefs. */
  | { readonly tracefs_event: string }
  /** A kernel symbol; of data, also that its address is shown to us. */
  | { readonly kallsyms: string }
  /** available_filter_functions, and a kprobe PMU. */
  | { readonly kprobe: string }
  | { readonly capability: string }
  | { readonly helper: string }
  /** The fact must not hold. */
  | { readonly not: Fact };

export type Parameter =
  | { readonly value: number }
  /** Offset in bytes of `struct.field`. */
  | { readonly offset_of: string }
  | { readonly size_of: string }
  | { readonly enumerator: string; readonly otherwise?: number }
  /** Address of a kallsyms symbol. */
  | { readonly address_of: string };

/** One way to see; the YAML's order is the order of preference. */
export interface Strategy {
  readonly name: string;
  /** One sentence for `doctor`: how it sees, and at what price. */
  readonly summary: string;
  /** Programs to load. */
  readonly programs: readonly string[];
  /** Those of them that are attached; the others are run on demand. Default: all. */
  readonly attach?: readonly string[];
  /** Maps that this strategy does without. */
  readonly omit_maps?: readonly string[];
  readonly needs?: readonly Fact[];
  /** name of the `const volatile` → where its value comes from. */
  readonly constants?: Readonly<Record<string, Parameter>>;
  /** Hooks whose name differs between kernels: program → function. */
  readonly hooks?: Readonly<Record<string, string>>;
  /**
   * How its programs of the sections uprobe and uretprobe are put on functions, all of them or each
   * by name. They are attached on demand, never at start. `perf` if not said.
   */
  readonly uprobes?: UprobeKind | Readonly<Record<string, UprobeKind>>;
  /** Chosen only when configured by name, never by preference. */
  readonly manual?: boolean;
}

/**
 * What a plugin sees besides, by whatever strategy, where the kernel lets it: `choices` in order of
 * preference, the first that works is loaded with the strategy, and if none does the plugin runs
 * without.
 */
export interface Part {
  readonly name: string;
  /** One sentence for `doctor`: what it adds. */
  readonly summary: string;
  /** What is missing without it, as a person would name each: goes to the plugin's status. */
  readonly lacks: readonly string[];
  readonly choices: readonly Choice[];
}

/** As a strategy, of one part. All its programs are attached but those that `attach` leaves out. */
export interface Choice extends Omit<Strategy, 'manual' | 'omit_maps'> {
  /** Maps of its own, which only its programs use: made with it, and not without it. */
  readonly maps?: readonly string[];
}

export interface KernelProfile {
  readonly plugin: string;
  readonly strategies: readonly Strategy[];
  readonly parts?: readonly Part[];
}

/** What was tried, in order, and why it was or was not taken. */
export interface StrategyVerdict {
  readonly strategy: string;
  readonly outcome: 'chosen' | 'rejected' | 'not-tried';
  /** Empty for the chosen one. */
  readonly reasons: readonly string[];
  /** What the kernel refused to a rejected one: `BPF programs of type iter/task (EPERM)`. */
  readonly refused?: string;
}

export interface StrategyReport {
  readonly plugin: string;
  readonly chosen: string | undefined;
  readonly verdicts: readonly StrategyVerdict[];
  /** One a part of the profile, in its order. */
  readonly parts: readonly PartReport[];
}

export interface PartReport {
  readonly part: string;
  readonly chosen: string | undefined;
  /** `not-tried` also where the plugin's configuration does without the part. */
  readonly verdicts: readonly StrategyVerdict[];
}
