/**
 * What a BPF object asks the kernel for, one thing at a time, in the kernel's own words: a type of
 * programs, a helper, a type of maps, a way to attach or to run. A kernel, its configuration or a
 * security policy may refuse any of them; an error that says which one is an error that can be acted
 * upon.
 */
import type { MapSpec, UprobeKind } from './host.js';
import { parseSection } from './section.js';

export const FEATURE_KINDS = ['program', 'helper', 'map', 'flag', 'attach', 'run'] as const;
export type FeatureKind = (typeof FEATURE_KINDS)[number];

export interface Feature {
  readonly kind: FeatureKind;
  /** `iter/task`, `bpf_get_stack`, `ringbuf`, `mmapable`, … */
  readonly name: string;
  /** Of a map: what else it was made with, and may be what was refused. */
  readonly flags?: string;
}

/** `program:iter/task`: how a feature is written in one word. */
export const featureId = ({ kind, name }: Feature): string => `${kind}:${name}`;

/** As written by `featureId`; undefined if it is none. */
export function parseFeature(id: string): Feature | undefined {
  const [, kind, name] = /^([a-z]+):(\S+)$/.exec(id) ?? [];
  const known = FEATURE_KINDS.find((each) => each === kind);
  return known === undefined || name === undefined ? undefined : { kind: known, name };
}

const NOUNS: Readonly<Record<FeatureKind, (name: string) => string>> = {
  program: (name) => `BPF programs of type ${name}`,
  helper: (name) => `the BPF helper ${name}`,
  map: (name) => `BPF maps of type ${name}`,
  flag: (name) => `BPF maps with the flag BPF_F_${name.toUpperCase()}`,
  attach: (name) => `attaching BPF programs by ${name}`,
  run: (name) => `BPF_PROG_TEST_RUN of BPF programs of type ${name}`,
};

export const describeFeature = ({ kind, name, flags }: Feature): string =>
  `${NOUNS[kind](name)}${flags === undefined ? '' : ` with ${flags}`}`;

const SAME_TYPE: Readonly<Record<string, string>> = {
  tp: 'tracepoint',
  raw_tracepoint: 'raw_tp',
  kretprobe: 'kprobe',
  uretprobe: 'uprobe',
};

/** The type of programs of a section: `tp_btf`, `iter/task`; of uprobes also how they are attached. */
export function programType(section: string, uprobes: UprobeKind = 'perf'): string {
  const { kind, hook } = parseSection(section);
  if (kind === 'iter') return `iter/${hook}`;
  const type = SAME_TYPE[kind] ?? kind;
  return type === 'uprobe' && uprobes !== 'perf' ? `uprobe_${uprobes}` : type;
}

/** enum bpf_map_type, as far as objects of ours go. */
const MAP_TYPES: Readonly<Record<number, string>> = {
  1: 'hash',
  2: 'array',
  3: 'prog_array',
  4: 'perf_event_array',
  5: 'percpu_hash',
  6: 'percpu_array',
  7: 'stack_trace',
  9: 'lru_hash',
  10: 'lru_percpu_hash',
  12: 'array_of_maps',
  13: 'hash_of_maps',
  22: 'queue',
  23: 'stack',
  27: 'ringbuf',
  28: 'inode_storage',
  29: 'task_storage',
};

export const mapType = ({ type }: Pick<MapSpec, 'type'>): string => MAP_TYPES[type] ?? `${type}`;

/** What a feature takes, where not every kernel since 5.10 has it. */
const NEEDS: Readonly<Record<string, string>> = {
  'program:syscall': 'Linux 5.14 or newer',
  'program:iter/bpf_map_elem': 'Linux 5.9 or newer',
  'program:kprobe': 'a kernel built with CONFIG_KPROBES and CONFIG_KPROBE_EVENTS',
  'program:uprobe': 'a kernel built with CONFIG_UPROBES and CONFIG_UPROBE_EVENTS',
  'program:uprobe_multi': 'Linux 6.6 or newer with CONFIG_UPROBES',
  'program:uprobe_session': 'Linux 6.13 or newer with CONFIG_UPROBES',
  'program:fentry': 'a kernel built with CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS',
  'program:fexit': 'a kernel built with CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS',
  'attach:tracepoint': 'tracefs, and CAP_SYS_ADMIN or kernel.perf_event_paranoid below 3',
  'attach:kprobe': 'CAP_SYS_ADMIN or kernel.perf_event_paranoid below 3',
  'attach:uprobe': 'CAP_SYS_ADMIN and a kernel built with CONFIG_UPROBE_EVENTS',
  'attach:uprobe_multi': 'Linux 6.6 or newer with CONFIG_UPROBES',
  'attach:uprobe_session': 'Linux 6.13 or newer with CONFIG_UPROBES',
  'map:task_storage': 'Linux 5.11 or newer (before 5.12 with CONFIG_BPF_LSM)',
  'helper:bpf_task_storage_get': 'Linux 5.11 or newer (before 5.12 with CONFIG_BPF_LSM)',
  'helper:bpf_get_current_task_btf': 'Linux 5.11 or newer',
  'helper:bpf_for_each_map_elem': 'Linux 5.13 or newer',
  'helper:bpf_get_func_ip': 'Linux 5.15 or newer',
  'helper:bpf_get_attach_cookie': 'Linux 5.15 or newer',
  'helper:bpf_loop': 'Linux 5.17 or newer',
  'helper:bpf_map_lookup_percpu_elem': 'Linux 5.19 or newer',
};

/** Whether some kernels since 5.10 are too old for it, or may be built without. */
export const isRecent = (feature: Feature): boolean => NEEDS[featureId(feature)] !== undefined;

/** LOCKDOWN_BPF_READ_KERNEL, of lockdown in its confidentiality mode, takes these away. */
const READS_KERNEL = /^bpf_probe_read(_str|_kernel|_kernel_str)?$/;

const POLICY =
  'a security module or kernel lockdown forbids it (see /sys/kernel/security/lsm and ' +
  '/sys/kernel/security/lockdown): allow it there';

/** What to do where the kernel refused a feature to somebody who has the capabilities. */
export function howToAllow(feature: Feature, denied: boolean): string {
  const needs = NEEDS[featureId(feature)];
  if (feature.kind === 'helper' && READS_KERNEL.test(feature.name)) {
    return 'lockdown=confidentiality forbids it: boot with lockdown=integrity or without lockdown';
  }
  if (denied) return isKnownTo(feature, needs) ? POLICY : `it needs ${needs}, or ${POLICY}`;
  if (needs !== undefined) return `it needs ${needs}`;
  return 'every Linux since 5.10 has it, and this one does not: it needs an unmodified kernel of a distribution';
}

/** A kernel that denies a type knows it: neither its version nor its configuration lacks it. */
const isKnownTo = ({ kind }: Feature, needs: string | undefined): boolean =>
  needs === undefined || kind === 'program' || needs.startsWith('Linux ');
