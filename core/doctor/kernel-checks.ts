import { statSync } from 'node:fs';
import { describeError, MemWatcherError } from '../errors.js';
import type { RunningKernel } from '../kernel/running-kernel.js';
import { type Check, type ReadText, tryRead } from './check.js';

const OLDEST = [5, 10] as const;

export interface KernelSources {
  readonly kernel: RunningKernel;
  readonly read: ReadText;
  /** Version of the system's libbpf. BPF_LIBRARY_MISSING if there is none. */
  readonly libbpfVersion: () => string;
}

/** The kernel and what its settings allow. */
export function kernelChecks(sources: KernelSources): Check[] {
  const { kernel, read } = sources;
  return [
    releaseCheck(kernel.release),
    btfCheck(kernel),
    libbpfCheck(sources),
    lockdownCheck(read),
    ...['bpf_jit_enable', 'kptr_restrict', 'perf_event_paranoid', 'unprivileged_bpf_disabled'].map(
      (name) => sysctlCheck(name, sources),
    ),
    sysctlCheck('bpf_stats_enabled', sources),
    tracefsCheck(kernel),
    kprobesCheck(kernel),
    cgroupCheck(read),
  ];
}

function releaseCheck(release: string): Check {
  const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10));
  const old = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
  return {
    check: 'kernel',
    status: old ? 'warn' : 'ok',
    value: `${release} ${process.arch}`,
    detail: old ? `mem-watcher is tested on ${OLDEST.join('.')} and newer` : undefined,
  };
}

function btfCheck(kernel: RunningKernel): Check {
  const path = kernel.btfPath;
  if (path === undefined) {
    return {
      check: 'btf',
      status: 'fail',
      value: 'none',
      detail: 'this kernel was built without CONFIG_DEBUG_INFO_BTF',
      hint: 'give the BTF of this very kernel with --btf FILE, or kernel.btf in the configuration',
    };
  }
  const known = kernel.check({ btf_type: 'struct task_struct' });
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return {
    check: 'btf',
    status: known.holds ? 'ok' : 'fail',
    value: `${path} (${(size / 2 ** 20).toFixed(1)} MiB)`,
    detail: known.holds ? undefined : `it lacks ${known.missing}`,
  };
}

function libbpfCheck({ libbpfVersion }: KernelSources): Check {
  try {
    return { check: 'libbpf', status: 'ok', value: libbpfVersion() };
  } catch (error) {
    const hint = error instanceof MemWatcherError ? error.hint : undefined;
    return {
      check: 'libbpf',
      status: 'fail',
      value: 'missing',
      detail: describeError(error),
      hint: hint ?? 'sudo apt-get install libbpf1',
    };
  }
}

function lockdownCheck(read: ReadText): Check {
  const check = 'lockdown';
  const file = tryRead(read, '/sys/kernel/security/lockdown');
  if ('code' in file) {
    if (file.code !== 'ENOENT') {
      return { check, status: 'skip', value: `cannot be read (${file.code})` };
    }
    return hasSecurityfs(read)
      ? { check, status: 'ok', value: 'none', detail: 'not built in' }
      : {
          check,
          status: 'skip',
          value: 'unknown',
          detail: 'securityfs is not mounted',
          hint: 'mount -t securityfs securityfs /sys/kernel/security',
        };
  }
  const mode = /\[(\w+)\]/.exec(file.text)?.[1] ?? file.text;
  if (mode !== 'confidentiality') return { check, status: 'ok', value: mode };
  return {
    check,
    status: 'fail',
    value: mode,
    detail: 'BPF programs may not read kernel memory, so nothing can be seen',
    hint: 'boot with lockdown=integrity, or without lockdown',
  };
}

/** Without the mount the kernel's answer is out of sight, whatever it is. */
function hasSecurityfs(read: ReadText): boolean {
  const file = tryRead(read, '/proc/self/mountinfo');
  return 'text' in file && / \/sys\/kernel\/security .* - securityfs /.test(file.text);
}

interface Sysctl {
  readonly key: string;
  /** undefined: as it should be. */
  readonly judge: (value: number) => Pick<Check, 'status' | 'detail' | 'hint'> | undefined;
}

const SYSCTLS: Readonly<Record<string, Sysctl>> = {
  bpf_jit_enable: {
    key: 'net.core.bpf_jit_enable',
    judge: (value) =>
      value > 0
        ? undefined
        : {
            status: 'warn',
            detail: 'BPF programs are interpreted, and cost several times more',
            hint: 'sysctl net.core.bpf_jit_enable=1',
          },
  },
  kptr_restrict: {
    key: 'kernel.kptr_restrict',
    judge: (value) =>
      value < 2
        ? undefined
        : {
            status: 'warn',
            detail:
              'addresses of kernel data are hidden; strategies that need them are passed over',
            hint: 'sysctl kernel.kptr_restrict=1',
          },
  },
  perf_event_paranoid: {
    key: 'kernel.perf_event_paranoid',
    judge: (value) =>
      value < 3
        ? undefined
        : { status: 'ok', detail: 'kprobes and classic tracepoints need CAP_SYS_ADMIN here' },
  },
  unprivileged_bpf_disabled: { key: 'kernel.unprivileged_bpf_disabled', judge: () => undefined },
  bpf_stats_enabled: {
    key: 'kernel.bpf_stats_enabled',
    judge: (value) =>
      value > 0
        ? undefined
        : {
            status: 'ok',
            detail: 'run counts and run times of our programs are not reported',
            hint: 'sysctl kernel.bpf_stats_enabled=1 reports them, for some 20 ns a run',
          },
  },
};

function sysctlCheck(check: string, { read }: KernelSources): Check {
  const { key, judge } = SYSCTLS[check] as Sysctl;
  const file = tryRead(read, `/proc/sys/${key.replaceAll('.', '/')}`);
  if ('code' in file) return { check, status: 'skip', value: `cannot be read (${file.code})` };
  return { check, status: 'ok', value: file.text, ...judge(Number(file.text)) };
}

function tracefsCheck({ tracefs }: RunningKernel): Check {
  const check = 'tracefs';
  if (tracefs.state === 'readable') return { check, status: 'ok', value: `${tracefs.root}` };
  const value = tracefs.state === 'denied' ? `${tracefs.root}, not readable` : 'not mounted';
  const hint =
    tracefs.state === 'denied'
      ? 'grant CAP_DAC_READ_SEARCH'
      : 'mount -t tracefs tracefs /sys/kernel/tracing';
  const detail = 'strategies on classic tracepoints are passed over; the others do without';
  return { check, status: 'warn', value, detail, hint };
}

function kprobesCheck(kernel: RunningKernel): Check {
  return kernel.hasKprobes
    ? { check: 'kprobes', status: 'ok', value: 'yes' }
    : {
        check: 'kprobes',
        status: 'ok',
        value: 'no',
        detail: 'built without CONFIG_KPROBE_EVENTS; strategies on kprobes are passed over',
      };
}

function cgroupCheck(read: ReadText): Check {
  const check = 'cgroup';
  const file = tryRead(read, '/proc/self/mountinfo');
  if ('code' in file) return { check, status: 'skip', value: `cannot be read (${file.code})` };
  const mounts = file.text
    .split('\n')
    .map((line) => /^\S+ \S+ \S+ \S+ (\S+) .* - (cgroup2?) /.exec(line))
    .filter((match) => match !== null)
    .map(([, path = '', type]) => ({ path, isV2: type === 'cgroup2' }));
  const v2 = mounts.filter(({ isV2 }) => isV2);
  const v1 = mounts.filter(({ isV2 }) => !isV2);
  const value = v2.length === 0 ? 'v1' : v1.length === 0 ? 'v2' : 'hybrid (v1 controllers)';
  if (mounts.length === 0) {
    const detail = 'processes cannot be told by container';
    return { check, status: 'warn', value: 'not mounted', detail };
  }
  return { check, status: 'ok', value, detail: mounts.map(({ path }) => path).join(' ') };
}
