/**
 * What each kernel of the matrix is known to do, seen once without this code. The live tests skip a
 * strategy that a kernel lacks: here it fails if a kernel lacks what it has, by our own mistake.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBpfHost } from '../../../core/bpf/libbpf.js';
import { createQuietAgent } from '../../../core/compose.js';
import { agentSchema, toAgentConfig } from '../../../core/config/schema.js';
import { findInstallation } from '../../../core/install.js';
import type { StrategyReport } from '../../../core/kernel/kernel.js';
import { createBpfLoader, explain } from '../../../core/kernel/loader.js';
import { readProfile } from '../../../core/kernel/profile.js';
import { RunningKernel } from '../../../core/kernel/running-kernel.js';
import { silentLogger } from '../../../core/logger.js';
import { objectNames } from '../../../core/metadata.js';
import { buildWith, plugins } from '../../conformance/harness.js';

const HOOKS = ['allocation-fentry', 'allocation-kprobe'];
const ITERATORS = ['cgroup-iterator', 'address-iterator'];
const SYSSTAT = ['cgroup', 'address', 'cgroup-syscall', 'address-syscall', ...ITERATORS, ...HOOKS];
/** Programs of type syscall came with 5.14. */
const SYSSTAT_5_10 = ['cgroup', 'address', ...ITERATORS, ...HOOKS];
/** Task storage for tracing programs came with 5.11; GCC splits finish_task_switch since 5.16. */
const PROCSTAT = [
  'task-iterator',
  'task-list',
  'sched-switch',
  'sched-switch-hash',
  'finish-task-switch-isra',
];

/** The allocator's name is another in each of them. */
const paf = (allocator: string) => [
  'tracepoint',
  'raw-tracepoint',
  'classic-tracepoint',
  'warn-alloc',
  allocator,
  `${allocator}-kprobe`,
];

const PR = ['tp-btf', 'raw-tp', 'tracepoint'];
/** 7.2 swapped the first arguments of the tracepoints that begin an episode. */
const PR_GFP_FIRST = ['tp-btf-gfp-first', 'raw-tp-gfp-first', 'tracepoint'];

/** uprobe_multi links by process came with 6.6, sessions with 6.13. */
const PERF = ['uprobe-perf'];
const MULTI = ['uprobe-multi', ...PERF];
const SESSION = ['uprobe-session', ...MULTI];
/** kmalloc and kmem_cache_alloc lost their node variants with 6.1. */
const KERNEL = ['raw-tp', 'tracepoint'];
const KERNEL_5_10 = ['raw-tp-sized', 'tracepoint-node'];

type Strategies = Readonly<Record<string, readonly string[]>>;
const KNOWN: Readonly<Record<string, Strategies>> = {
  '5.10': {
    sysstat: SYSSTAT_5_10,
    procstat: ['task-iterator', 'task-list', 'sched-switch-hash', 'finish-task-switch'],
    paf: paf('allocator-nodemask'),
    pr: PR,
    memleak: PERF,
    'memleak-kernel': KERNEL_5_10,
  },
  '6.1': {
    sysstat: SYSSTAT,
    procstat: PROCSTAT,
    paf: paf('allocator'),
    pr: PR,
    memleak: PERF,
    'memleak-kernel': KERNEL,
  },
  '6.12': {
    sysstat: SYSSTAT,
    procstat: PROCSTAT,
    paf: paf('allocator-noprof'),
    pr: PR,
    memleak: MULTI,
    'memleak-kernel': KERNEL,
  },
  newest: {
    sysstat: SYSSTAT,
    procstat: PROCSTAT,
    paf: paf('allocator-frozen'),
    pr: PR_GFP_FIRST,
    memleak: SESSION,
    'memleak-kernel': KERNEL,
  },
};

/** By plugin and part the choice that a start with the default configuration loads, null for none. */
type Parts = Readonly<Record<string, Readonly<Record<string, string | null>>>>;
/** Off by default. */
const PAF_PARTS = { zones: 'raw-tp', stacks: 'get-stack', attempts: null };
/** Counters by CPU came with 6.2. */
const PROCSTAT_PARTS = { 'cpu-parts': 'helper' };
const PROCSTAT_6_1 = { 'cpu-parts': 'none' };
const PR_PARTS = {
  spans: 'ring-buffer',
  memcg: 'tp-btf',
  'soft-limit': 'tp-btf',
  'shrink-list': 'fexit-folio',
  'multi-gen': 'tp-btf',
  'kswapd-end': 'fexit',
  'node-reclaim': 'tp-btf',
  throttled: 'tp-btf',
  wakeups: 'tp-btf',
};
/** Debian builds the multi-gen LRU since 6.1, and switches it on since 6.12. */
const PR_6_1 = { ...PR_PARTS, 'multi-gen': null };
const PR_5_10 = { ...PR_6_1, 'shrink-list': 'fexit-page', throttled: null };
const PR_NEWEST = {
  ...PR_PARTS,
  memcg: 'tp-btf-gfp-first',
  'soft-limit': 'tp-btf-gfp-first',
  'shrink-list': 'fexit-folio-memcg',
  'kswapd-end': 'tp-btf',
};
const KNOWN_PARTS: Readonly<Record<string, Parts>> = {
  '5.10': { procstat: PROCSTAT_6_1, paf: PAF_PARTS, pr: PR_5_10 },
  '6.1': { procstat: PROCSTAT_6_1, paf: PAF_PARTS, pr: PR_6_1 },
  '6.12': { procstat: PROCSTAT_PARTS, paf: PAF_PARTS, pr: PR_PARTS },
  newest: { procstat: PROCSTAT_PARTS, paf: PAF_PARTS, pr: PR_NEWEST },
};

const name = process.env.MEM_WATCHER_VM ?? '';
const known = KNOWN[name];
const installation = findInstallation(import.meta.url);
const skip = known ? false : 'only of the kernels of the matrix it is known';

test('every strategy that this kernel is known to do is offered, and no other', { skip }, () => {
  const { profiles } = installation;
  const kernel = new RunningKernel();
  const names = plugins.flatMap(({ metadata }) => objectNames(metadata));
  const offered = names.map((object) => {
    const { verdicts } = explain(kernel, readProfile(profiles, object));
    const possible = verdicts.filter(({ outcome }) => outcome !== 'rejected');
    return [object, possible.map(({ strategy }) => strategy)] as const;
  });
  const expected = names.map((object) => [object, known?.[object]] as const);
  assert.deepEqual(offered, expected);
});

test('every part is loaded by the choice that this kernel is known to do', { skip }, async () => {
  const reports = new Map<string, StrategyReport>();
  const config = toAgentConfig(agentSchema(plugins).parse({ log: { level: 'error' } }));
  const foundation = { installation, plugins, build: buildWith };
  const onStrategies = (report: StrategyReport) => void reports.set(report.plugin, report);
  const agent = createQuietAgent(foundation, config, { onStrategies });
  await agent.start();
  await agent.stop();
  const started = plugins
    .flatMap(({ metadata }) => objectNames(metadata))
    .filter((object) => reports.has(object));
  const loaded = started.map((plugin) => {
    const parts = reports.get(plugin)?.parts ?? [];
    return [plugin, Object.fromEntries(parts.map(({ part, chosen = null }) => [part, chosen]))];
  });
  const expected = started.map((plugin) => [plugin, KNOWN_PARTS[name]?.[plugin] ?? {}]);
  assert.deepEqual(loaded, expected, reasons([...reports.values()]));
});

/** By the first walk of the profile that the kernel has: bpf_for_each_map_elem came with 5.13. */
const walk = name === '5.10' ? 'iterator' : 'for-each';

for (const plugin of ['memleak', 'memleak-kernel']) {
  test(`${plugin} walks by what this kernel is known to do`, { skip }, () => {
    const loaded = createBpfLoader({
      host: createBpfHost(),
      kernel: new RunningKernel(),
      profile: readProfile(installation.profiles, plugin),
      objectFile: installation.bpfObject(plugin),
      strategy: 'auto',
      logger: silentLogger,
    }).load();
    void loaded.close();
    assert.equal(loaded.parts.get('walk'), walk);
  });
}

/** Why the parts that were not loaded were not. */
function reasons(reports: readonly StrategyReport[]): string {
  const verdicts = reports.flatMap(({ parts }) => parts.flatMap(({ verdicts }) => verdicts));
  return verdicts
    .flatMap(({ strategy, reasons }) => reasons.map((r) => `${strategy}: ${r}`))
    .join('\n');
}
