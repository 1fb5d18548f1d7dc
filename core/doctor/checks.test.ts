/** The doctor's eyes on worlds that this machine is not. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { BtfWriter } from '../../test/fakes/btf.js';
import { MemWatcherError } from '../errors.js';
import type { CgroupNamespace } from '../identity/cgroup-namespace.js';
import type { KernelProfile, StrategyReport } from '../kernel/kernel.js';
import { type KernelOptions, RunningKernel } from '../kernel/running-kernel.js';
import type { PluginStatus } from '../plugin.js';
import type { Check, ReadText } from './check.js';
import { kernelChecks } from './kernel-checks.js';
import { explainedCheck, startedCheck } from './plugin-checks.js';
import { pluginCapabilityCheck, privilegeChecks } from './privilege-checks.js';

const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-doctor-'));
after(() => rmSync(folder, { recursive: true }));

/** A world of these files and no others. */
const files =
  (contents: Readonly<Record<string, string>>): ReadText =>
  (path) => {
    const text = contents[path];
    if (text !== undefined) return text;
    throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
  };

const btfFile = (name: string, write: (writer: BtfWriter) => void) => {
  const writer = new BtfWriter();
  write(writer);
  const file = join(folder, name);
  writeFileSync(file, writer.build());
  return file;
};
const withTask = btfFile('task.btf', (writer) => writer.struct('task_struct', 8, []));
const withAccounting = btfFile('accounting.btf', (writer) =>
  writer.enumeration('bpf_func_id', { BPF_FUNC_ktime_get_coarse_ns: 160 }),
);

/** Bits of linux/capability.h. */
const BITS = {
  CAP_SYS_ADMIN: 21,
  CAP_SYS_RESOURCE: 24,
  CAP_SYSLOG: 34,
  CAP_PERFMON: 38,
  CAP_BPF: 39,
};

function kernelWith(held: readonly (keyof typeof BITS)[], options: KernelOptions = {}) {
  const effective = held.reduce((bits, name) => bits | (1n << BigInt(BITS[name])), 0n);
  const statusFile = join(folder, `status-${effective}`);
  writeFileSync(statusFile, `CapEff:\t${effective.toString(16).padStart(16, '0')}\n`);
  const kallsymsFile = join(folder, 'kallsyms');
  writeFileSync(kallsymsFile, '0000000000000000 D hidden\n0000000000000000 T code\n');
  const tracefsMounts = [join(folder, 'no-tracefs')];
  return new RunningKernel({
    btfFile: withTask,
    statusFile,
    kallsymsFile,
    tracefsMounts,
    ...options,
  });
}

const one = (checks: readonly Check[], name: string) => {
  const check = checks.find((candidate) => candidate.check === name);
  assert(check, `no check ${name}`);
  return check;
};

describe('the kernel', () => {
  const look = (
    contents: Readonly<Record<string, string>>,
    kernel = kernelWith([]),
    libbpfVersion = () => 'v1.1',
  ) => kernelChecks({ kernel, read: files(contents), libbpfVersion });

  it('is judged by its lockdown', () => {
    const path = '/sys/kernel/security/lockdown';
    const status = (text: string) => one(look({ [path]: text }), 'lockdown').status;
    assert.equal(status('[none] integrity confidentiality'), 'ok');
    assert.equal(status('none [integrity] confidentiality'), 'ok');
    assert.equal(status('none integrity [confidentiality]'), 'fail');
  });

  it('without securityfs keeps its lockdown to itself', () => {
    const mounted = '35 2 0:7 / /sys/kernel/security rw,nosuid - securityfs securityfs rw';
    assert.equal(one(look({ '/proc/self/mountinfo': mounted }), 'lockdown').value, 'none');
    const unknown = one(look({}), 'lockdown');
    assert.deepEqual([unknown.status, unknown.value], ['skip', 'unknown']);
    assert.match(unknown.hint ?? '', /^mount -t securityfs /);
  });

  it('is judged by its settings', () => {
    const setting = (name: string, value: string, check: string) =>
      one(look({ [`/proc/sys/${name}`]: value }), check).status;
    assert.equal(setting('net/core/bpf_jit_enable', '0', 'bpf_jit_enable'), 'warn');
    assert.equal(setting('net/core/bpf_jit_enable', '1', 'bpf_jit_enable'), 'ok');
    assert.equal(setting('kernel/kptr_restrict', '1', 'kptr_restrict'), 'ok');
    assert.equal(setting('kernel/kptr_restrict', '2', 'kptr_restrict'), 'warn');
    assert.equal(one(look({}), 'kptr_restrict').status, 'skip');
  });

  it('older than we test is a warning', () => {
    const of = (release: string) => one(look({}, kernelWith([], { release })), 'kernel').status;
    assert.equal(of('5.4.0-generic'), 'warn');
    assert.equal(of('5.10.0'), 'ok');
    assert.equal(of('6.1.0'), 'ok');
  });

  it('without libbpf says how to get it', () => {
    const check = one(
      look({}, kernelWith([]), () => {
        throw new MemWatcherError('BPF_LIBRARY_MISSING', 'libbpf.so.1 is missing');
      }),
      'libbpf',
    );
    assert.equal(check.status, 'fail');
    assert.match(check.hint ?? '', /apt-get install libbpf1/);
  });

  it('with BTF of another make is a problem', () => {
    const check = one(look({}, kernelWith([], { btfFile: withAccounting })), 'btf');
    assert.equal(check.status, 'fail');
    assert.match(check.detail ?? '', /task_struct/);
  });

  it('tells cgroup versions by the mounts', () => {
    const v1 = '30 1 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory';
    const v2 = '31 1 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw';
    const of = (text: string) => one(look({ '/proc/self/mountinfo': text }), 'cgroup').value;
    assert.equal(of(v1), 'v1');
    assert.equal(of(v2), 'v2');
    assert.equal(of(`${v1}\n${v2}`), 'hybrid (v1 controllers)');
    assert.equal(of('22 1 0:20 / /proc rw - proc proc rw'), 'not mounted');
  });
});

describe('the cgroup namespace', () => {
  const check = (namespace: CgroupNamespace | undefined) =>
    one(
      privilegeChecks(kernelWith([]), files({}), () => namespace),
      'cgroup_namespace',
    );

  it('of the host is in order, and so is a private one that sees the host', () => {
    assert.equal(check('host').status, 'ok');
    assert.equal(check('private, host mounted').status, 'ok');
    assert.equal(check(undefined).status, 'skip');
  });

  it('that hides the host is a warning that names the option', () => {
    const { status, detail, hint } = check('private');
    assert.equal(status, 'warn');
    assert.match(detail ?? '', /container\.id/);
    assert.match(hint ?? '', /--cgroupns=host/);
  });
});

describe('privileges', () => {
  const limits = (value: string) => ({
    '/proc/self/limits': `Limit  Soft Limit  Hard Limit\nMax locked memory         ${value}  ${value}  bytes`,
  });

  it('that are missing are named with the commands that grant them', () => {
    const check = one(privilegeChecks(kernelWith(['CAP_SYSLOG']), files({})), 'capabilities');
    assert.equal(check.status, 'fail');
    assert.match(check.detail ?? '', /^missing CAP_BPF: .*\nmissing CAP_PERFMON: /);
    const [sudo, setcap, systemd] = (check.hint ?? '').split('\n');
    assert.match(sudo ?? '', /sudo/);
    assert.equal(setcap, `sudo setcap cap_bpf,cap_perfmon=ep ${process.execPath}`);
    assert.match(systemd ?? '', /AmbientCapabilities=CAP_BPF CAP_PERFMON/);
  });

  it('of CAP_SYS_ADMIN alone are enough', () => {
    const checks = privilegeChecks(kernelWith(['CAP_SYS_ADMIN']), files({}));
    assert.equal(one(checks, 'capabilities').status, 'ok');
  });

  it('in a user namespace do not count', () => {
    const look = (map: string) =>
      privilegeChecks(kernelWith(['CAP_BPF']), files({ '/proc/self/uid_map': map }));
    assert.equal(one(look('         0       1000          1'), 'user_namespace').status, 'fail');
    assert(!look('         0          0 4294967295').some((c) => c.check === 'user_namespace'));
  });

  it('include locked memory only where the kernel counts BPF memory as such', () => {
    const old = (held: readonly (keyof typeof BITS)[], value: string) =>
      one(privilegeChecks(kernelWith(held), files(limits(value))), 'memlock').status;
    assert.equal(old([], '65536'), 'fail');
    assert.equal(old(['CAP_SYS_RESOURCE'], '65536'), 'ok');
    assert.equal(old([], 'unlimited'), 'ok');
    const modern = kernelWith([], { btfFile: withAccounting });
    assert.equal(one(privilegeChecks(modern, files(limits('65536'))), 'memlock').status, 'ok');
  });
});

const strategy = { summary: 'sees', programs: ['p'] };
const profile: KernelProfile = {
  plugin: 'demo',
  strategies: [
    { ...strategy, name: 'plain' },
    { ...strategy, name: 'symbol', needs: [{ kallsyms: 'hidden' }, { kallsyms: 'code' }] },
    { ...strategy, name: 'typed', needs: [{ btf_type: 'no_such' }] },
    { ...strategy, name: 'named', manual: true },
  ],
};

describe('a plugin', () => {
  const status = (more: Partial<PluginStatus>): PluginStatus => ({
    plugin: 'demo',
    state: 'ok',
    reason: undefined,
    strategy: 'plain',
    lacks: [],
    since: 0,
    ...more,
  });

  it('has and lacks capabilities by its strategies', () => {
    const ok = pluginCapabilityCheck(kernelWith(['CAP_BPF', 'CAP_PERFMON']), profile);
    assert.equal(ok.status, 'ok');
    assert.equal(ok.value, 'has CAP_BPF CAP_PERFMON, lacks CAP_SYSLOG');
    assert.match(ok.detail ?? '', /CAP_SYSLOG .* is for symbol$/);
    assert.equal(pluginCapabilityCheck(kernelWith([]), profile).status, 'warn');
    const all = kernelWith(['CAP_BPF', 'CAP_PERFMON', 'CAP_SYSLOG']);
    assert.equal(pluginCapabilityCheck(all, profile).hint, undefined);
    const needs = [{ kallsyms: 'code' }];
    const named = { plugin: 'demo', strategies: [{ ...strategy, name: 'named', needs }] };
    const plain = kernelWith(['CAP_BPF', 'CAP_PERFMON']);
    assert.equal(pluginCapabilityCheck(plain, named).value, 'has CAP_BPF CAP_PERFMON');
    const choice = { ...strategy, name: 'tp', needs: [{ tracefs_event: 'vmscan:x' }] };
    const parts = [{ name: 'wakes', summary: 'x', lacks: ['x'], choices: [choice] }];
    const lacking = pluginCapabilityCheck(plain, { ...named, parts });
    assert.equal(lacking.status, 'ok');
    assert.match(lacking.detail ?? '', /^CAP_DAC_READ_SEARCH .* is for wakes by tp$/);
  });

  it('that runs shows its strategy, and what became of the others', () => {
    const report: StrategyReport = {
      plugin: 'demo',
      chosen: 'symbol',
      verdicts: [
        { strategy: 'plain', outcome: 'rejected', reasons: ['refused\nR1 invalid'] },
        { strategy: 'symbol', outcome: 'chosen', reasons: [] },
        { strategy: 'typed', outcome: 'not-tried', reasons: [] },
        { strategy: 'named', outcome: 'not-tried', reasons: [] },
      ],
      parts: [],
    };
    const check = startedCheck(status({ strategy: 'symbol' }), kernelWith([]), profile, report);
    assert.equal(check.status, 'ok');
    assert.equal(check.value, 'symbol');
    assert.deepEqual(check.detail?.split('\n'), [
      'plain: refused',
      '    R1 invalid',
      'symbol: chosen; sees',
      'typed: lacks type no_such',
      'named: only by name; sees',
    ]);
  });

  it('that found no strategy says each reason once', () => {
    const report: StrategyReport = {
      plugin: 'demo',
      chosen: undefined,
      verdicts: [{ strategy: 'plain', outcome: 'rejected', reasons: ['refused'] }],
      parts: [],
    };
    const failed = status({ state: 'failed', strategy: undefined, reason: 'no strategy: refused' });
    const check = startedCheck(failed, kernelWith([]), profile, report);
    assert.equal(check.status, 'fail');
    assert.equal(check.value, 'no strategy works');
    assert.equal(check.detail?.match(/refused/g)?.length, 1);
    const named = startedCheck(failed, kernelWith([]), profile, report, 'plain');
    assert.equal(named.value, 'plain, which is configured, does not work');
  });

  it('shows its parts, and is ok without those that the kernel does not give', () => {
    const choice = (name: string, type?: string) => ({
      ...strategy,
      name,
      ...(type && { needs: [{ btf_type: type }] }),
    });
    const parts = [
      { name: 'a', summary: 'adds a', lacks: ['the a'], choices: [choice('x'), choice('y')] },
      { name: 'b', summary: 'adds b', lacks: ['the b', 'its size'], choices: [choice('x', 'no')] },
      { name: 'c', summary: 'adds c', lacks: ['the c'], choices: [choice('x')] },
    ];
    const verdict = (name: string, outcome: 'chosen' | 'rejected' | 'not-tried', why?: string) => ({
      strategy: name,
      outcome,
      reasons: why === undefined ? [] : [why],
    });
    const report: StrategyReport = {
      plugin: 'demo',
      chosen: 'plain',
      verdicts: [verdict('plain', 'chosen')],
      parts: [
        {
          part: 'a',
          chosen: 'y',
          verdicts: [verdict('x', 'rejected', 'no\nnever'), verdict('y', 'chosen')],
        },
        { part: 'b', chosen: undefined, verdicts: [verdict('x', 'rejected', 'never')] },
        { part: 'c', chosen: undefined, verdicts: [verdict('x', 'not-tried')] },
      ],
    };
    const lacks = ['the b', 'its size'];
    const withParts = { plugin: 'demo', strategies: [{ ...strategy, name: 'plain' }], parts };
    const check = startedCheck(status({ lacks }), kernelWith([]), withParts, report);
    assert.equal(check.status, 'ok');
    assert.deepEqual(check.lacks, lacks);
    assert.deepEqual(check.parts, { a: 'y', b: null, c: null });
    assert.deepEqual(check.detail?.split('\n'), [
      'not on this kernel: the b, its size',
      'plain: chosen; sees',
      'part a: by y; adds a',
      '    x: no',
      '        never',
      'part b: not on this kernel; without it: the b, its size',
      '    x: never',
      'part c: not asked for; adds c',
    ]);
    const facts = explainedCheck(kernelWith([]), withParts, 'auto', 'as asked');
    assert.deepEqual(facts.detail?.split('\n').slice(1), [
      'part a: x possible; adds a',
      'part b: not on this kernel; without it: the b, its size',
      '    x: lacks type no',
      'part c: x possible; adds c',
    ]);
  });

  it('that failed otherwise says why', () => {
    const failed = status({
      state: 'failed',
      strategy: undefined,
      reason: 'the object is missing',
    });
    const check = startedCheck(failed, kernelWith([]), profile, undefined);
    assert.match(check.detail ?? '', /^the object is missing\n/);
  });

  it('that is not loaded is judged by its facts', () => {
    const judge = (wanted: string) => explainedCheck(kernelWith([]), profile, wanted, 'as asked');
    assert.equal(judge('auto').value, 'plain, by its facts: as asked');
    assert.equal(judge('auto').status, 'skip');
    assert.equal(judge('named').value, 'named, by its facts: as asked');
    assert.equal(judge('typed').status, 'fail');
  });
});
