import assert from 'node:assert/strict';
import { test } from 'node:test';
import { C_FRAMES, CXX_FRAMES, fakeSnapshot, fakeStack, HOSTILE_NAME, STACKS } from './fake.js';
import { originalText, stackTrace } from './original.js';

test("the original's own example, by the bytes of its document", () => {
  const [stack] = STACKS;
  assert.ok(stack);
  assert.equal(
    originalText({ stacks: [stack] }),
    `stack_id=0x00000000000000c1 with outstanding allocations: total_size=8 nr_allocs=2
000055e032027205: alloc_v3 @ 0x11e9+0x1c /test_leak.c:11
000055e032027228: alloc_v2 @ 0x120f+0x19 /test_leak.c:17
000055e03202724b: alloc_v1 @ 0x1232+0x19 /test_leak.c:23
000055e032027287: memory_leak @ 0x1255+0x32 /test_leak.c:35
00007f1ca1d66609: start_thread @ 0x8530+0xd9
`,
  );
});

test('what was inlined stands below its function, from the caller inwards', () => {
  const [, ...lines] = stackTrace(
    fakeStack({ id: 'x', frames: CXX_FRAMES, bytes: 1, allocations: 1 }),
  ).split('\n');
  assert.deepEqual(lines.slice(0, 3), [
    '000055e03202aa10: shop::Cart::add(shop::Item const&) @ 0x49c0+0x50 /src/cart.cc:88',
    '                  std::vector<shop::Item>::push_back(shop::Item const&) @ /usr/include/c++/12/bits/stl_vector.h:1287 [inlined]',
    '                  std::__new_allocator<shop::Item>::allocate @ /usr/include/c++/12/bits/new_allocator.h:137 [inlined]',
  ]);
});

test('sorted by size, whole numbers, nothing hostile', () => {
  const text = originalText(fakeSnapshot());
  const sizes = [...text.matchAll(/total_size=(\d+) /g)].map(([, size]) => Number(size));
  assert.deepEqual(sizes, [6_000_000, 262_144, 90_000, 40_960, 4096, 1024, 8]);
  assert.ok(text.includes('<script>'), 'a name is not cut');
  assert.ok(!text.includes(HOSTILE_NAME));
  assert.doesNotMatch(text, /[^\P{Cc}\n]/u);
  for (const line of text.trimEnd().split('\n')) {
    assert.match(
      line,
      /^(stack_id=0x[0-9a-f]{16} with outstanding allocations: total_size=\d+ nr_allocs=\d+|[0-9a-f]{16}: .+| {18}.+ \[inlined\])$/,
    );
  }
});

test('no names yet: the addresses alone; no stacks: nothing', () => {
  const stack = fakeStack({ id: 'x', frames: C_FRAMES, bytes: 1, allocations: 1 });
  assert.equal(
    stackTrace({ ...stack, frames: [] }).split('\n')[0],
    '000055e032027205: <no-symbol>',
  );
  assert.equal(originalText({ stacks: [] }), '');
});
