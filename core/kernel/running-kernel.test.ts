/** Facts of the running kernel against bpftool, /proc and perf: none of them knows our code. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { BtfWriter } from '../../test/fakes/btf.js';
import { NotSupported } from '../errors.js';
import { normalizeType } from './btf-prototype.js';
import type { Fact } from './kernel.js';
import { RunningKernel } from './running-kernel.js';

const VMLINUX = '/sys/kernel/btf/vmlinux';
const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-kernel-'));
after(() => rmSync(folder, { recursive: true }));

const bpftool = (format: string) =>
  spawnSync('bpftool', ['btf', 'dump', 'file', VMLINUX, 'format', format], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
const noTruth = !existsSync(VMLINUX)
  ? 'the kernel has no BTF'
  : bpftool('c').status !== 0
    ? 'bpftool is missing'
    : undefined;
const needsBtf = existsSync(VMLINUX) ? {} : { skip: 'the kernel has no BTF' };
const needsTruth = noTruth === undefined ? {} : { skip: noTruth };

const kernel = new RunningKernel();
const missing = (fact: Fact, of = kernel) => {
  const result = of.check(fact);
  return result.holds ? undefined : result.missing;
};

describe('BTF facts equal what bpftool says', needsTruth, () => {
  const raw = () => bpftool('raw').stdout;

  it('of structs: sizes and the offsets of their own members', () => {
    const text = raw();
    let compared = 0;
    for (const name of ['task_struct', 'mm_struct', 'pglist_data', 'zone', 'scan_control']) {
      const block = new RegExp(
        `^\\[\\d+\\] STRUCT '${name}' size=(\\d+) .*\\n((?:\\t.*\\n)*)`,
        'm',
      );
      const [, size, members = ''] = block.exec(text) ?? [];
      if (size === undefined) continue;
      assert.equal(kernel.resolve({ size_of: name }), Number(size), name);
      for (const [line, member, bits] of members.matchAll(
        /'(\w+)' type_id=\d+ bits_offset=(\d+).*/g,
      )) {
        const path = `${name}.${member}`;
        assert.equal(missing({ btf_field: path }), undefined);
        if (line.includes('bitfield_size')) {
          assert.throws(() => kernel.resolve({ offset_of: path }), /bit field/);
        } else {
          assert.equal(kernel.resolve({ offset_of: path }), Number(bits) / 8, path);
        }
        compared++;
      }
    }
    assert(compared > 300, `only ${compared} members were compared`);
  });

  it('of enumerators', () => {
    const block = /^\[\d+\] ENUM 'node_stat_item' .*\n((?:\t.*\n)*)/m.exec(raw())?.[1] ?? '';
    const values = [...block.matchAll(/'(\w+)' val=(\d+)/g)];
    assert(values.length > 30);
    for (const [, name, value] of values) {
      assert.equal(kernel.resolve({ enumerator: `node_stat_item.${name}` }), Number(value));
      assert.equal(kernel.resolve({ enumerator: `${name}` }), Number(value));
    }
    const all = new Map(values.map(([, name = '', value]) => [name, Number(value)]));
    assert.deepEqual(kernel.enumerators({ name: 'node_stat_item' }), all);
    assert.deepEqual(kernel.enumerators({ name: 'enum node_stat_item' }), all);
    assert.deepEqual(kernel.enumerators({ having: [...all.keys()].at(-1) ?? '' }), all);
  });

  it('of functions', () => {
    const functions = new Set(
      [...raw().matchAll(/^\[\d+\] FUNC '(\w+)'/gm)].map(([, name]) => name),
    );
    for (const name of ['get_page_from_freelist', 'shrink_node', 'finish_task_switch', 'no_such']) {
      assert.equal(kernel.check({ btf_function: name }).holds, functions.has(name), name);
    }
  });

  it('of every tracepoint’s prototype', () => {
    const declarations = /^typedef void \(\*btf_trace_(\w+)\)\(void \*(?:, )?(.*)\);$/gm;
    let compared = 0;
    for (const [, tracepoint = '', types = ''] of bpftool('c').stdout.matchAll(declarations)) {
      // Commas of a function pointer's own parameters do not separate ours.
      const prototype = types === '' ? [] : types.split(/, (?![^(]*\))/).map(normalizeType);
      assert.equal(missing({ tracepoint, prototype }), undefined);
      assert.notEqual(missing({ tracepoint, prototype: [...prototype, 'int'] }), undefined);
      compared++;
    }
    assert(compared > 300, `only ${compared} tracepoints were compared`);
  });

  it('of functions', () => {
    assert.equal(missing({ btf_function: 'kfree', prototype: ['const void*'] }), undefined);
  });

  it('of helpers', () => {
    for (const helper of [
      'bpf_get_current_task',
      'get_current_task',
      'BPF_FUNC_get_current_task',
    ]) {
      assert.equal(missing({ helper }), undefined);
    }
    assert.equal(missing({ helper: 'bpf_make_coffee' }), 'BPF helper bpf_make_coffee');
  });
});

describe('a fact that does not hold says what is missing', needsBtf, () => {
  const cases: readonly (readonly [Fact, string | RegExp])[] = [
    [{ btf_type: 'no_such_struct' }, 'type no_such_struct'],
    [{ btf_type: 'enum task_struct' }, 'type enum task_struct'],
    [{ btf_field: 'task_struct.no_such' }, 'field task_struct.no_such'],
    [{ btf_function: 'no_such' }, 'BTF of function no_such'],
    [
      { btf_function: 'kfree', prototype: ['int'] },
      'function kfree(int); here it is kfree(const void *)',
    ],
    [
      { btf_function: 'kfree', prototype: ['const void *', 'int'] },
      'function kfree(const void *, int); here it is kfree(const void *)',
    ],
    [{ btf_enumerator: 'node_stat_item.NR_NO_SUCH' }, 'enumerator node_stat_item.NR_NO_SUCH'],
    [{ btf_enumerator: 'task_struct.NR_NO_SUCH' }, 'enumerator task_struct.NR_NO_SUCH'],
    [{ tracepoint: 'no_such' }, 'BTF of tracepoint no_such'],
    [
      { tracepoint: 'sched_switch', prototype: ['int', 'struct task_struct *'] },
      /^tracepoint sched_switch\(int, struct task_struct \*\); here it is sched_switch\(bool, struct/,
    ],
    [{ kallsyms: 'no_such_symbol' }, 'symbol no_such_symbol in kallsyms'],
    [{ not: { btf_type: 'task_struct' } }, 'absence of btf type task_struct'],
    [{ capability: 'CAP_COFFEE' }, 'CAP_COFFEE, which is no capability'],
  ];
  for (const [fact, sentence] of cases) {
    it(JSON.stringify(fact), () => {
      const said = missing(fact) ?? '';
      if (typeof sentence === 'string') assert.equal(said, sentence);
      else assert.match(said, sentence);
    });
  }

  it('an enum has no enumerators', () => {
    for (const name of ['no_such_enum', 'task_struct', 'struct node_stat_item']) {
      assert.equal(kernel.enumerators({ name }), undefined);
    }
    assert.equal(kernel.enumerators({ having: 'NR_NO_SUCH' }), undefined);
  });

  it('and `not` of it holds', () => {
    assert.equal(missing({ not: { btf_type: 'no_such_struct' } }), undefined);
  });

  it('and a parameter that rests on it is not supported', () => {
    assert.throws(() => kernel.resolve({ size_of: 'no_such' }), NotSupported);
    assert.throws(() => kernel.resolve({ offset_of: 'task_struct.no_such' }), NotSupported);
    assert.throws(() => kernel.resolve({ enumerator: 'zone_type.NO_SUCH' }), NotSupported);
    assert.throws(() => kernel.resolve({ address_of: 'no_such_symbol' }), NotSupported);
    assert.equal(kernel.resolve({ enumerator: 'zone_type.NO_SUCH', otherwise: -1 }), -1);
    assert.equal(kernel.resolve({ value: 42 }), 42);
  });
});

describe('symbols', () => {
  const kallsyms = join(folder, 'kallsyms');
  const text = [
    'ffffffff81000000 T _text',
    'ffffffff81000100 t finish_task_switch.isra.0',
    'ffffffff82000000 D vm_node_stat',
    '0000000000000000 D hidden_data',
    '0000000000000000 T hidden_code',
    'ffffffff81000200 t twice',
    'ffffffff81000300 t twice',
    'ffffffffc0000000 t in_module\t[module]',
  ].join('\n');
  writeFileSync(kallsyms, text);
  const of = new RunningKernel({ kallsymsFile: kallsyms });

  it('are found by their exact name', () => {
    for (const name of ['_text', 'finish_task_switch.isra.0', 'in_module', 'hidden_code']) {
      assert.equal(missing({ kallsyms: name }, of), undefined, name);
    }
    assert.notEqual(missing({ kallsyms: 'finish_task_switch' }, of), undefined);
    assert.notEqual(missing({ kallsyms: 'text' }, of), undefined);
  });

  it('give their address, unless it is hidden or there are several', () => {
    assert.equal(of.resolve({ address_of: 'vm_node_stat' }), 0xffffffff82000000n);
    assert.match(missing({ kallsyms: 'hidden_data' }, of) ?? '', /kptr_restrict/);
    assert.throws(() => of.resolve({ address_of: 'hidden_data' }), /kptr_restrict/);
    assert.throws(() => of.resolve({ address_of: 'twice' }), /there are several/);
  });

  it('of the running kernel are those of /proc/kallsyms', () => {
    const names = readFileSync('/proc/kallsyms', 'latin1').matchAll(/^\S+ [tT] (\S+)$/gm);
    for (const [, name = ''] of [...names].slice(0, 20)) {
      assert.equal(missing({ kallsyms: name }), undefined, name);
    }
  });

  it('that cannot be read are a fact that does not hold', () => {
    const blind = new RunningKernel({ kallsymsFile: join(folder, 'nowhere') });
    assert.match(missing({ kallsyms: '_text' }, blind) ?? '', /ENOENT/);
  });
});

describe('hooks', () => {
  const tracing = join(folder, 'tracing');
  mkdirSync(join(tracing, 'events', 'sched', 'sched_switch'), { recursive: true });
  writeFileSync(join(tracing, 'events', 'header_page'), '');
  writeFileSync(join(tracing, 'events', 'sched', 'sched_switch', 'id'), '42\n');
  writeFileSync(
    join(tracing, 'available_filter_functions'),
    'shrink_node\nfinish_task_switch.isra.0\nfrom_module [module]\n',
  );
  const kallsymsFile = join(folder, 'kallsyms-hooks');
  writeFileSync(kallsymsFile, 'ffffffff81000000 t only_in_kallsyms\n');
  const withKprobes = { kprobePmu: folder, kallsymsFile, tracefsMounts: [tracing] };
  const of = new RunningKernel(withKprobes);

  it('by kprobe need the exact name among those that can be filtered', () => {
    for (const name of ['shrink_node', 'finish_task_switch.isra.0', 'from_module']) {
      assert.equal(missing({ kprobe: name }, of), undefined, name);
    }
    for (const name of ['finish_task_switch', 'shrink_nod', 'only_in_kallsyms']) {
      assert.equal(missing({ kprobe: name }, of), `function ${name} that can be probed`);
    }
  });

  it('by kprobe rest on kallsyms where tracefs is not mounted', () => {
    const blind = new RunningKernel({ ...withKprobes, tracefsMounts: [join(folder, 'nowhere')] });
    assert.equal(missing({ kprobe: 'only_in_kallsyms' }, blind), undefined);
    assert.notEqual(missing({ kprobe: 'shrink_node' }, blind), undefined);
  });

  it('by kprobe need the kernel’s kprobes', () => {
    const without = new RunningKernel({ ...withKprobes, kprobePmu: join(folder, 'nowhere') });
    assert.match(missing({ kprobe: 'shrink_node' }, without) ?? '', /CONFIG_KPROBE_EVENTS/);
  });

  it('by tracefs event', () => {
    assert.equal(missing({ tracefs_event: 'sched:sched_switch' }, of), undefined);
    assert.equal(missing({ tracefs_event: 'sched/sched_switch' }, of), undefined);
    assert.equal(missing({ tracefs_event: 'sched:none' }, of), 'tracefs event sched:none');
    const blind = new RunningKernel({ tracefsMounts: [folder] });
    assert.match(missing({ tracefs_event: 'sched:sched_switch' }, blind) ?? '', /mount -t tracefs/);
  });
});

describe('capabilities', () => {
  const withEffective = (hex: string) => {
    const statusFile = join(folder, `status-${hex}`);
    writeFileSync(statusFile, `Name:\tx\nCapPrm:\tffffffffffffffff\nCapEff:\t${hex}\n`);
    return new RunningKernel({ statusFile });
  };

  it('are the effective ones, by any spelling', () => {
    // Bits 38 and 39 of linux/capability.h.
    const of = withEffective('000000c000000000');
    for (const capability of ['CAP_BPF', 'bpf', 'cap_perfmon']) {
      assert.equal(missing({ capability }, of), undefined, capability);
    }
    assert.equal(missing({ capability: 'CAP_SYSLOG' }, of), 'capability CAP_SYSLOG');
  });

  it('CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON, and for no other', () => {
    const of = withEffective('0000000000200000');
    assert.equal(missing({ capability: 'CAP_BPF' }, of), undefined);
    assert.equal(missing({ capability: 'CAP_PERFMON' }, of), undefined);
    assert.notEqual(missing({ capability: 'CAP_SYSLOG' }, of), undefined);
  });

  it('of this process are those that capsh or the kernel decode', (test) => {
    const hex = /^CapEff:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '';
    const decoded = spawnSync('capsh', [`--decode=${hex}`], { encoding: 'utf8' });
    if (decoded.status !== 0) return test.skip('capsh is missing');
    const names = decoded.stdout.trim().split('=')[1]?.split(',') ?? [];
    assert.deepEqual(
      [...kernel.capabilities].map((name) => name.toLowerCase()).sort(),
      names.sort(),
    );
  });
});

describe('BTF of a file', () => {
  it('takes the place of the kernel’s own', () => {
    const writer = new BtfWriter();
    writer.struct('only_here', 24, [['field', writer.int('int'), 160]]);
    const btfFile = join(folder, 'own.btf');
    writeFileSync(btfFile, writer.build());
    const of = new RunningKernel({ btfFile });
    assert.equal(of.btfPath, btfFile);
    assert.equal(of.resolve({ offset_of: 'only_here.field' }), 20);
    assert.equal(missing({ btf_type: 'task_struct' }, of), 'type task_struct');
  });

  it('is refused at once if it is garbage', () => {
    const btfFile = join(folder, 'garbage.btf');
    writeFileSync(btfFile, 'garbage, and more of it than a header has');
    assert.throws(() => new RunningKernel({ btfFile }), {
      code: 'BTF_INVALID',
      message: /garbage\.btf/,
    });
  });
});
