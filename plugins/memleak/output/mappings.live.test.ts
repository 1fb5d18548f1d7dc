/** `mem-watcher leaks` of what passes no allocator: mappings, the break, functions of one's own. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { skip, stacksOf, started, told, watched } from './testing/leaky.js';

const SIZE = 8192;

suite('beside the allocator', { skip, timeout: 120_000 }, () => {
  for (const [flag, word, place] of [
    ['--mmap', 'map', 'map_here'],
    ['--brk', 'grow', 'grow_here'],
  ] as const) {
    test(`${flag}: to the byte, by who asked for it`, async (t) => {
      const target = await started(t);
      const work = `${word} ${SIZE}`;
      const args = ['--format', 'json', flag];
      const cli = await watched(t, target, new RegExp(place), { work, args });
      const stacks = stacksOf(cli).filter(({ frames }) =>
        frames.some((frame) => frame.function === place),
      );
      assert.ok(stacks.length > 0);
      for (const { bytes, allocations } of stacks) assert.equal(bytes, allocations * SIZE);
      await told(target, 'leak 1');
    });
  }

  test('none of it unless asked', async (t) => {
    const target = await started(t);
    const cli = await watched(t, target, /leak_here/, { work: `all ${SIZE}` });
    assert.doesNotMatch(cli.text, /map_here|grow_here/);
  });

  test('--function: what is like malloc is one, and what it calls does not count again', async (t) => {
    const target = await started(t);
    // It passes malloc as well: one allocation all the same.
    const args = ['--format', 'json', '--function', 'leak_here=malloc'];
    const stacks = stacksOf(await watched(t, target, /"stack_id"/, { args }));
    const ofLeak = stacks.filter(({ frames }) => frames[0]?.function === 'leak');
    assert.ok(ofLeak.length > 0);
    for (const { bytes, allocations } of ofLeak) assert.equal(bytes, allocations * 64);
    assert.ok(!stacks.some(({ frames }) => frames[0]?.function === 'leak_here'));
  });
});
