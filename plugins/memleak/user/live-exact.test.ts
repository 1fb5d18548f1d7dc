/** Without sampling: what is outstanding, to the byte, against a program that counts for itself. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { heldOf, missing, strategies, watched } from './live-watched.js';

/** live-exact.stress.test.ts of the plugin does it a million times. */
const MANY = process.env.MEM_WATCHER_VM === undefined ? 200_000 : 50_000;

for (const strategy of strategies) {
  describe(`what is outstanding by ${strategy}`, { timeout: 600_000 }, () => {
    it('is what the program holds, whatever function it calls', async (t) => {
      const seen = await watched(t, strategy);
      for (const command of ['churn 1 5000', 'fail', 'nothing', 'leak 100 0', 'map']) {
        await seen.program.ask(command);
        const held = await seen.program.held();
        assert.ok(Object.keys(held).length > 3);
        assert.deepEqual(heldOf(seen), held, command);
      }
      await seen.program.ask('free');
      const left = await seen.program.held();
      assert.deepEqual(Object.keys(left), ['mmap', 'mremap']);
      assert.deepEqual(heldOf(seen), left);
    });

    it('is what the program holds when its threads free each other’s', async (t) => {
      const enough = strategy === strategies[0] ? MANY : 50_000;
      const seen = await watched(t, strategy);
      for (let round = 0; round < 3; round++) {
        // Three in four steps allocate.
        await seen.program.ask(`churn 4 ${Math.ceil(enough / 8)}`);
        assert.deepEqual(heldOf(seen), await seen.program.held());
      }
      const counts = seen.watch.countsOf(seen.process);
      assert.ok((counts?.recorded ?? 0) >= enough, `${counts?.recorded} allocations`);
      assert.equal(counts?.missedAllocations, 0);
      assert.equal(counts?.missedFrees, 0);
      assert.equal(counts?.interrupted, 0);
    });

    it('has the whole stack where there are frame pointers', async (t) => {
      const seen = await watched(t, strategy);
      const { watch, program } = seen;
      for (const frames of [3, 20, 200]) await program.ask(`deep ${frames}`);
      const deep = watch
        .read({ ages: false })
        .readings.filter(({ frames }) => program.siteOf(frames[0] ?? 0n) === 'deep')
        .map(({ frames, depth, bytes }) => ({
          own: frames.filter((frame) => program.siteOf(frame) === 'deep').length,
          depth,
          bytes,
        }))
        .sort((a, b) => a.own - b.own);
      assert.deepEqual(deep, [
        { own: 4, depth: 'end', bytes: 24 },
        { own: 21, depth: 'end', bytes: 24 },
        { own: 64, depth: 'limit', bytes: 24 },
      ]);
    });
  });
}

it('has something to watch with', { skip: missing ?? false }, () => {
  assert.ok(strategies.length > 0);
});
