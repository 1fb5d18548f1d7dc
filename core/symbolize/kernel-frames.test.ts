import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KernelFrame } from './kernel-frame.js';
import { kernelFrames } from './kernel-frames.js';

const resolver = (frames: readonly KernelFrame[], reason?: string) => ({
  reason,
  resolve: async () => frames,
});

test('a function of the kernel or of a module is a frame', async () => {
  const symbols = resolver([
    { address: 0xffffffff81000104n, function: 'inner', offset: 4 },
    { address: 0xffffffffc0000041n, function: 'hook', offset: 0x41, module: 'nf_tables' },
  ]);
  assert.deepEqual(await kernelFrames(symbols, []), [
    {
      address: 0xffffffff81000104n,
      function: 'inner',
      offset: 4,
      functionAddress: 0xffffffff81000100n,
      inlined: false,
      module: '[kernel]',
    },
    {
      address: 0xffffffffc0000041n,
      function: 'hook',
      offset: 0x41,
      functionAddress: 0xffffffffc0000000n,
      inlined: false,
      module: 'nf_tables',
    },
  ]);
});

test('what has no name says why', async () => {
  const [unknown] = await kernelFrames(resolver([{ address: 1n }]), [1n]);
  assert.match(unknown?.lack ?? '', /no function/);
  const [hidden] = await kernelFrames(resolver([{ address: 1n }], 'the kernel hides them'), [1n]);
  assert.equal(hidden?.lack, 'the kernel hides them');
});
