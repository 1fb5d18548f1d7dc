import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatKernelStack } from './kernel-frame.js';

test('a stack is one line a frame, as the kernel prints them', () => {
  const stack = [
    { address: 0xffffffff810003a4n, function: '__alloc_pages_slowpath', offset: 0x3a4 },
    { address: 0xffffffffc0000041n, function: 'nf_hook', offset: 0x41, module: 'nf_tables' },
    { address: 0xffffffffc0123456n },
    { address: 0xffffffff81000000n, function: 'secondary_startup_64', offset: 0 },
  ];
  assert.equal(
    formatKernelStack(stack),
    `__alloc_pages_slowpath+0x3a4
nf_hook+0x41 [nf_tables]
0xffffffffc0123456
secondary_startup_64+0x0`,
  );
  assert.equal(formatKernelStack([]), '');
});
