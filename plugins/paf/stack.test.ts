import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KernelFrame } from '../../core/symbolize/kernel-frame.js';
import { withoutProbe } from './stack.js';

const frame = (name: string, module?: string): KernelFrame => ({
  address: 1n,
  function: name,
  offset: 1,
  ...(module === undefined ? {} : { module }),
});
const names = (frames: readonly KernelFrame[]) => frames.map((one) => one.function);

test('the frames of program and tracepoint are left away', () => {
  const stack = [
    frame('bpf_prog_8d4ab80d1c8ae2a0_on_alloc_btf', 'bpf'),
    frame('bpf_trace_run4'),
    frame('__alloc_pages'),
    frame('bpf_map_alloc_pages'),
  ];
  assert.deepEqual(names(withoutProbe(stack)), ['__alloc_pages', 'bpf_map_alloc_pages']);
});

test('frames without a name stay, and with them all above', () => {
  const stack = [frame('bpf_trace_run4'), { address: 2n }, frame('vfs_write')];
  assert.deepEqual(names(withoutProbe(stack)), [undefined, 'vfs_write']);
});

test('a stack of nothing but probes is kept whole', () => {
  const stack = [frame('bpf_trace_run4')];
  assert.deepEqual(withoutProbe(stack), stack);
  assert.deepEqual(withoutProbe([]), []);
});
