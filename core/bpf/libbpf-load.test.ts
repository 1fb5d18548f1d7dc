/** What is said of an object that did not load, by what libbpf warned of. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LoadAttempt, loadFailed } from './libbpf-load.js';
import { missingCapabilities } from './refusal.js';

const EPERM = -1;
const EACCES = -13;
const accounted = { probeHelper: () => 1 };
const mayLoad = missingCapabilities(['CAP_BPF', 'CAP_PERFMON']).length === 0;
const skip = mayLoad ? false : 'CAP_BPF or CAP_PERFMON is missing, which is then the reason';

const SECTIONS: Readonly<Record<string, string>> = {
  iterate: 'iter/bpf_map_elem',
  enter: 'fentry/vfs_read',
  traced: 'tp_btf/sched_switch',
  raw: 'raw_tp/sched_switch',
  run: 'raw_tp',
  probed: 'kprobe/vfs_read',
  user: 'uprobe',
};
const programs = Object.entries(SECTIONS).map(([name, section]) => ({ name, section }));
const attempt: LoadAttempt = { file: '/x.bpf.o', programs, maps: [], uprobeKind: () => 'perf' };
const failed = (errno: number, ...warnings: string[]) =>
  loadFailed(accounted, attempt, errno, warnings);

const log = (program: string, ...lines: string[]) =>
  [`prog '${program}': -- BEGIN PROG LOAD LOG --`, ...lines, '-- END PROG LOAD LOG --'].join('\n');
const STATISTICS =
  'processed 0 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0';

test('a program type that the kernel refuses is named with the way to allow it', {
  skip,
}, () => {
  const types: Readonly<Record<string, string>> = {
    iterate: 'iter/bpf_map_elem',
    enter: 'fentry',
    traced: 'tp_btf',
    raw: 'raw_tp',
    run: 'raw_tp',
    probed: 'kprobe',
    user: 'uprobe',
  };
  for (const [program, type] of Object.entries(types)) {
    for (const words of [[], [log(program, STATISTICS)]]) {
      const error = failed(
        EPERM,
        `libbpf: prog '${program}': BPF program load failed: Operation not permitted`,
        ...words,
      );
      assert.match(error.message, new RegExp(`allow BPF programs of type ${type}: EPERM `));
      assert.equal(error.refused, `BPF programs of type ${type} (EPERM)`);
      assert.match(error.hint ?? '', /a security module or kernel lockdown forbids it/);
      assert.equal(error.program, program);
      assert.equal(error.detail, '');
    }
  }
});

test('what the verifier said of an instruction is the reason, its statistics are not', () => {
  const error = failed(
    EACCES,
    "libbpf: prog 'run': BPF program load failed: Permission denied",
    log('run', '0: (79) r1 = *(u64 *)(r1 +0)', "R1 invalid mem access 'scalar'", STATISTICS),
  );
  assert.equal(error.code, 'BPF_LOAD_FAILED');
  assert.match(error.message, /^the kernel refused program run \(x\.bpf\.o\): EACCES/);
  assert.equal(error.detail, "0: (79) r1 = *(u64 *)(r1 +0)\nR1 invalid mem access 'scalar'");
});
