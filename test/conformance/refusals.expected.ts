/**
 * What is to become of each plugin without each feature of BPF: the table that
 * `refusals.live.test.ts` holds against the running kernel. A feature of which nothing is said here may be
 * refused and changes nothing.
 */

/** Of the plugins that are tried: with every part that the configuration may ask for. */
export const CONFIG: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  sysstat: {},
  procstat: {},
  paf: { attempts: true },
  pr: {},
  memleak: { targets: [{ executable: 'sleep' }] },
};

/** Every kernel since 5.10 has these for programs that trace. Only lockdown forbids any: reading. */
const ALWAYS = [
  'flag:mmapable',
  'helper:bpf_ktime_get_ns',
  'helper:bpf_map_lookup_elem',
  'helper:bpf_probe_read_kernel',
  'helper:bpf_probe_read_kernel_str',
  'map:array',
  'map:percpu_array',
] as const;

const TABLES = [
  'helper:bpf_get_current_task',
  'helper:bpf_map_pop_elem',
  'helper:bpf_map_push_elem',
  'helper:bpf_map_update_elem',
  'map:hash',
  'map:queue',
] as const;

/** pr without the kernel's types of tracepoints. */
const RAW = [
  'raw-tp',
  'raw-tp-gfp-first',
  ...[
    'memcg',
    'soft-limit',
    'node-reclaim',
    'throttled',
    'wakeups',
    'multi-gen',
    'kswapd-end',
  ].flatMap((part) => [`${part}: raw-tp`, `${part}: raw-tp-gfp-first`]),
  'shrink-list: reclaim-pages-raw',
];

/** The plugin fails, and says what is missing and how to allow it. */
export const NO_OTHER_WAY: Readonly<Record<string, readonly string[]>> = {
  sysstat: ALWAYS,
  procstat: ALWAYS.filter((id) => !['flag:mmapable', 'helper:bpf_ktime_get_ns'].includes(id)),
  paf: [
    ...ALWAYS,
    ...TABLES,
    'helper:bpf_get_numa_node_id',
    'helper:bpf_ringbuf_output',
    'map:ringbuf',
  ],
  pr: [
    ...ALWAYS,
    ...TABLES,
    'helper:bpf_get_current_comm',
    'helper:bpf_get_current_pid_tgid',
    'helper:bpf_map_delete_elem',
  ],
  memleak: [
    ...ALWAYS.filter((id) => id !== 'helper:bpf_probe_read_kernel_str'),
    ...TABLES,
    'helper:bpf_get_current_pid_tgid',
    'helper:bpf_get_prandom_u32',
    'helper:bpf_map_delete_elem',
    'helper:bpf_probe_read_user',
    'map:prog_array',
  ],
  'memleak-kernel': [
    ...ALWAYS,
    ...TABLES.filter((id) => id !== 'helper:bpf_get_current_task'),
    'helper:bpf_get_stack',
    'helper:bpf_map_delete_elem',
    // Without tracefs there are no classic tracepoints.
    'attach:raw_tp',
    'program:raw_tp',
  ],
};

/** memleak-kernel without raw tracepoints, where tracefs is mounted. */
const CLASSIC = [
  'tracepoint',
  'tracepoint-node',
  'pages: tracepoint',
  'percpu: -',
  'object-cache: -',
  'bulk-free: -',
  'sheaf-free: -',
];

/** The plugin runs, with these in place of what it usually uses: a strategy, or a part's choice. */
export const EXPECTED: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  sysstat: {
    'helper:bpf_get_current_task': ['cgroup-iterator'],
    'program:raw_tp': ['cgroup-syscall', 'cgroup-iterator'],
    'run:raw_tp': ['cgroup-syscall', 'cgroup-iterator'],
  },
  procstat: {
    'attach:iter/task': ['task-list'],
    'helper:bpf_map_lookup_percpu_elem': ['cpu-parts: each-cpu'],
    'helper:bpf_seq_write': ['task-list'],
    'program:iter/task': ['task-list'],
  },
  paf: {
    'attach:tp_btf': ['raw-tracepoint', 'attempts: raw-tracepoint'],
    'program:tp_btf': ['raw-tracepoint', 'attempts: raw-tracepoint'],
    'helper:bpf_get_stack': ['stacks: -'],
    'helper:bpf_ringbuf_reserve': ['attempts: -'],
    'helper:bpf_ringbuf_submit': ['attempts: -'],
    'program:raw_tp': ['zones: syscall', 'zones: iterator'],
    'run:raw_tp': ['zones: syscall', 'zones: iterator'],
  },
  pr: {
    'attach:tp_btf': RAW,
    'program:tp_btf': RAW,
    'helper:bpf_get_current_task_btf': RAW,
    'helper:bpf_get_prandom_u32': ['spans: -'],
    'helper:bpf_ringbuf_reserve': ['spans: -'],
    'helper:bpf_ringbuf_submit': ['spans: -'],
    'map:ringbuf': ['spans: -'],
  },
  memleak: {
    'attach:tp_btf': ['happenings: raw-tp'],
    'program:tp_btf': ['happenings: raw-tp'],
    'attach:uprobe_session': ['uprobe-multi', 'uprobe-perf'],
    'program:uprobe_session': ['uprobe-multi', 'uprobe-perf'],
    'attach:uprobe_multi': ['uprobe-perf'],
    'program:uprobe_multi': ['uprobe-perf'],
    'helper:bpf_get_func_ip': ['uprobe-multi', 'uprobe-perf'],
    'helper:bpf_get_attach_cookie': ['uprobe-perf'],
    'helper:bpf_for_each_map_elem': ['walk: iterator', 'walk: lookups'],
    'program:raw_tp': ['walk: iterator', 'walk: lookups'],
    'run:raw_tp': ['walk: iterator', 'walk: lookups'],
    'helper:bpf_ringbuf_reserve': ['happenings: -'],
    'helper:bpf_ringbuf_submit': ['happenings: -'],
    'map:ringbuf': ['happenings: -'],
    // Where BPF does not tell registers, `leaks --pause` asks ptrace.
    'attach:iter/task': ['registers: -'],
    'program:iter/task': ['registers: -'],
    'helper:bpf_seq_write': ['registers: -'],
    'helper:bpf_task_pt_regs': ['registers: stack'],
  },
  'memleak-kernel': {
    'helper:bpf_for_each_map_elem': ['walk: iterator', 'walk: lookups'],
    'attach:fentry': ['bulk-free: -'],
    'attach:fexit': ['sheaf-free: -'],
    'attach:raw_tp': CLASSIC,
    'helper:bpf_probe_read_kernel': CLASSIC,
    'helper:bpf_probe_read_kernel_str': CLASSIC,
    'program:fentry': ['bulk-free: -'],
    'program:fexit': ['sheaf-free: -'],
    'program:raw_tp': [...CLASSIC, 'walk: iterator', 'walk: lookups'],
    'run:raw_tp': ['walk: iterator', 'walk: lookups'],
  },
};
