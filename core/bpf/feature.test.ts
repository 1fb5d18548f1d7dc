import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  describeFeature,
  featureId,
  howToAllow,
  mapType,
  parseFeature,
  programType,
} from './feature.js';

test('a feature is written in one word and read back', () => {
  const feature = { kind: 'program', name: 'iter/task' } as const;
  assert.equal(featureId(feature), 'program:iter/task');
  assert.deepEqual(parseFeature('program:iter/task'), feature);
  assert.equal(parseFeature('iter/task'), undefined);
  assert.equal(parseFeature('colour:red'), undefined);
});

test('sections of one program type have one name', () => {
  assert.equal(programType('tp/kmem/kmalloc'), programType('tracepoint/kmem/kmalloc'));
  assert.equal(programType('kretprobe/x'), 'kprobe');
  assert.equal(programType('iter/bpf_map_elem'), 'iter/bpf_map_elem');
  assert.equal(programType('uretprobe'), 'uprobe');
  assert.equal(programType('uprobe', 'multi'), 'uprobe_multi');
  assert.equal(mapType({ type: 27 }), 'ringbuf');
});

test('a feature has a noun, and a way to allow it', () => {
  const helper = { kind: 'helper', name: 'bpf_loop' } as const;
  assert.equal(describeFeature(helper), 'the BPF helper bpf_loop');
  assert.equal(howToAllow(helper, false), 'it needs Linux 5.17 or newer');
  const reads = { kind: 'helper', name: 'bpf_probe_read_kernel' } as const;
  assert.match(howToAllow(reads, false), /boot with lockdown=integrity/);
  const type = { kind: 'program', name: 'raw_tp' } as const;
  assert.match(howToAllow(type, true), /\/sys\/kernel\/security\/lsm .* allow it there/);
});

test('lockdown is blamed only for the helpers that it takes away', () => {
  const hint = (name: string) => howToAllow({ kind: 'helper', name }, false);
  for (const name of [
    'probe_read',
    'probe_read_str',
    'probe_read_kernel',
    'probe_read_kernel_str',
  ]) {
    assert.match(hint(`bpf_${name}`), /lockdown=confidentiality/);
  }
  for (const name of ['get_stack', 'trace_printk', 'copy_from_user', 'probe_read_user']) {
    assert.doesNotMatch(hint(`bpf_${name}`), /lockdown/);
    assert.match(hint(`bpf_${name}`), /it needs an unmodified kernel/);
  }
});

test('a denied type is not explained by the version of the kernel', () => {
  for (const name of ['iter/bpf_map_elem', 'syscall', 'fentry', 'uprobe_multi']) {
    const type = { kind: 'program', name } as const;
    assert.doesNotMatch(howToAllow(type, true), /it needs/);
    assert.match(howToAllow(type, false), /it needs/);
  }
  const attach = { kind: 'attach', name: 'tracepoint' } as const;
  assert.match(howToAllow(attach, true), /it needs tracefs, and CAP_SYS_ADMIN .* allow it there/);
});
