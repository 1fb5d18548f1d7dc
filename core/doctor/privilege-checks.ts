import { type CgroupNamespace, cgroupNamespace } from '../identity/cgroup-namespace.js';
import { hasCapability } from '../kernel/capabilities.js';
import type { Choice, Fact, Kernel, KernelProfile, Strategy } from '../kernel/kernel.js';
import { ALWAYS_NEEDED, grantCommands } from '../kernel/permission.js';
import type { RunningKernel } from '../kernel/running-kernel.js';
import { type Check, type ReadText, tryRead } from './check.js';

/** What each capability is to us, in the order in which people should think of them. */
const USES: Readonly<Record<string, string>> = {
  CAP_BPF: 'loads BPF programs',
  CAP_PERFMON: 'lets them read kernel memory and attach to tracing hooks',
  CAP_SYS_RESOURCE: 'raises the locked-memory limit on kernels before 5.11',
  CAP_SYSLOG: 'shows the addresses of kernel data',
  CAP_DAC_READ_SEARCH: 'reads tracefs, and /proc of other users',
  CAP_SYS_PTRACE: 'reads the executables of other users’ processes',
  CAP_SYS_ADMIN: 'stands for the first two, and opens kprobes where perf is restricted',
};

/** This process, and what it may do. */
export function privilegeChecks(
  kernel: RunningKernel,
  read: ReadText,
  cgroups = cgroupNamespace,
): Check[] {
  return [
    userCheck(),
    ...namespaceCheck(read),
    cgroupNamespaceCheck(cgroups()),
    capabilitiesCheck(kernel.capabilities),
    memlockCheck(kernel, read),
  ];
}

function userCheck(): Check {
  const uid = process.geteuid?.() ?? -1;
  return { check: 'user', status: 'ok', value: uid === 0 ? 'root' : `uid ${uid}` };
}

/** The kernel asks for capabilities of its first user namespace; those of another do not count. */
function namespaceCheck(read: ReadText): Check[] {
  const file = tryRead(read, '/proc/self/uid_map');
  if ('code' in file || /^\s*0\s+0\s+4294967295\s*$/.test(file.text)) return [];
  return [
    {
      check: 'user_namespace',
      status: 'fail',
      value: 'not the first',
      detail: 'capabilities that are held in a user namespace do not count for BPF',
      hint: 'run on the host, or in a rootful container (--privileged or --cap-add)',
    },
  ];
}

/** From a private one the paths of other containers cannot be confirmed (decision 0094). */
function cgroupNamespaceCheck(namespace: CgroupNamespace | undefined): Check {
  const check = 'cgroup_namespace';
  if (namespace === undefined) return { check, status: 'skip', value: 'unknown' };
  if (namespace !== 'private') return { check, status: 'ok', value: namespace };
  return {
    check,
    status: 'warn',
    value: namespace,
    detail: 'the agent sees no cgroup outside its own: processes there have no container.id',
    hint:
      'podman run --cgroupns=host (docker likewise);\n' +
      'in Kubernetes mount the host’s /sys/fs/cgroup at /sys/fs/cgroup',
  };
}

function capabilitiesCheck(held: ReadonlySet<string>): Check {
  const missing = ALWAYS_NEEDED.filter((name) => !hasCapability(held, name));
  const ours = Object.keys(USES).filter((name) => hasCapability(held, name));
  const check = 'capabilities';
  const value = ours.length > 0 ? ours.join(' ') : 'none';
  if (missing.length === 0) return { check, status: 'ok', value };
  const detail = missing.map((name) => `missing ${name}: it ${USES[name]}`).join('\n');
  return { check, status: 'fail', value, detail, hint: grantCommands(missing).join('\n') };
}

/** Since 5.11 BPF memory is charged to the cgroup and the limit does not matter. */
function memlockCheck(kernel: RunningKernel, read: ReadText): Check {
  const check = 'memlock';
  const file = tryRead(read, '/proc/self/limits');
  if ('code' in file) return { check, status: 'skip', value: `cannot be read (${file.code})` };
  const soft = /^Max locked memory\s+(\S+)/m.exec(file.text)?.[1] ?? 'unknown';
  const value = /^\d+$/.test(soft) ? `${Number(soft) / 1024} KiB` : soft;
  if (soft === 'unlimited') return { check, status: 'ok', value };
  // The helper came with the same release as the accounting.
  if (kernel.check({ helper: 'bpf_ktime_get_coarse_ns' }).holds) {
    return { check, status: 'ok', value, detail: 'BPF memory does not count here' };
  }
  if (hasCapability(kernel.capabilities, 'CAP_SYS_RESOURCE')) {
    return { check, status: 'ok', value, detail: 'it is raised at start (CAP_SYS_RESOURCE)' };
  }
  return {
    check,
    status: 'fail',
    value,
    detail: 'this kernel counts BPF memory as locked, and the limit is too low for it',
    hint: 'LimitMEMLOCK=infinity in the systemd unit, or ulimit -l unlimited, or CAP_SYS_RESOURCE',
  };
}

/** Which capabilities a plugin has and lacks, over all its strategies and parts. */
export function pluginCapabilityCheck(kernel: RunningKernel, profile: KernelProfile): Check {
  const has = (name: string) => hasCapability(kernel.capabilities, name);
  const needs = (candidate: Strategy | Choice) => capabilitiesOf(kernel, candidate);
  const ways = [...profile.strategies, ...choicesOf(profile)];
  const all = [...new Set(ways.flatMap(needs))];
  const lacking = all.filter((name) => !has(name));
  const check = `capabilities.${profile.plugin}`;
  if (lacking.length === 0) return { check, status: 'ok', value: `has ${all.join(' ')}` };
  // What every strategy needs is a problem already, said of the process as a whole.
  const special = lacking.filter((name) => !ALWAYS_NEEDED.some((needed) => needed === name));
  const usable = profile.strategies.some((strategy) => needs(strategy).every(has));
  const held = all.filter(has).join(' ') || 'none';
  return {
    check,
    status: usable ? 'ok' : 'warn',
    value: `has ${held}, lacks ${lacking.join(' ')}`,
    ...(special.length > 0 && {
      detail: special
        .map((name) =>
          whatFor(
            name,
            ways.filter((way) => needs(way).includes(name)),
          ),
        )
        .join('\n'),
      hint: grantCommands(lacking).join('\n'),
    }),
  };
}

/** The choices of all parts, named as `part by choice`. */
const choicesOf = ({ parts = [] }: KernelProfile): Choice[] =>
  parts.flatMap(({ name, choices }) =>
    choices.map((choice) => ({ ...choice, name: `${name} by ${choice.name}` })),
  );

function whatFor(capability: string, ways: readonly (Strategy | Choice)[]): string {
  const use = USES[capability] ?? 'asked for by the profile';
  return `${capability} (${use}) is for ${ways.map(({ name }) => name).join(', ')}`;
}

/** What a strategy, or a part's choice, asks of the process, as far as its facts tell. */
export function capabilitiesOf(
  kernel: Kernel,
  strategy: Pick<Strategy, 'needs' | 'constants'>,
): string[] {
  const needed = new Set<string>(ALWAYS_NEEDED);
  for (const fact of strategy.needs ?? []) {
    const name = capabilityOf(kernel, fact);
    if (name !== undefined) needed.add(name);
  }
  const constants = Object.values(strategy.constants ?? {});
  if (constants.some((parameter) => 'address_of' in parameter)) needed.add('CAP_SYSLOG');
  return [...needed];
}

function capabilityOf(kernel: Kernel, fact: Fact): string | undefined {
  if ('capability' in fact) return fact.capability;
  if ('kallsyms' in fact) {
    // Names are for everybody; only the address of data is hidden.
    const result = kernel.check(fact);
    return !result.holds && result.missing.startsWith('the address') ? 'CAP_SYSLOG' : undefined;
  }
  if ('tracefs_event' in fact) return 'CAP_DAC_READ_SEARCH';
  return undefined;
}
