import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemWatcherError } from '../../core/errors.js';
import { build, emptyLoader, hasParts, plugins, Watch } from './harness.js';

/** Every plugin, where it has parts on a kernel that gives them all and on one that gives none. */
const lives = plugins.flatMap((module) => {
  const { name } = module.metadata;
  const whole = { title: `${name}: its life`, module, partsLoad: true };
  const bare = { title: `${name}: its life without its parts`, module, partsLoad: false };
  return hasParts(module) ? [whole, bare] : [whole];
});

for (const { title, module, partsLoad } of lives) {
  const loader = () => emptyLoader(module, partsLoad);
  describe(title, () => {
    test('being built acquires nothing, and closing without start is harmless', async () => {
      const watch = new Watch();
      const { scope } = build(module, watch.loader(loader()));
      assert.equal(watch.calls, 0);
      await scope.close();
      await scope.close();
    });

    test('what start acquires is released by the scope, once', async () => {
      const watch = new Watch();
      const { plugin, scope } = build(module, watch.loader(loader()));
      await plugin.start();
      assert.ok(watch.open > 0);
      await scope.close();
      await scope.close();
      assert.equal(watch.open, 0);
    });

    test('a start that fails at any step leaks nothing', async () => {
      for (let failAt = 1; ; failAt++) {
        const watch = new Watch(failAt);
        const { plugin, scope } = build(module, watch.loader(loader()));
        const outcome = await Promise.try(() => plugin.start()).then(
          () => 'started',
          (error: unknown) => String(error),
        );
        await scope.close();
        assert.equal(watch.open, 0, `after a failure of call ${failAt}`);
        if (watch.calls < failAt) {
          assert.equal(outcome, 'started');
          assert.ok(failAt > 1, 'start must load something');
          return;
        }
      }
    });

    test('a kernel that shows nothing is a coded error or an empty snapshot, not a crash', async () => {
      const { plugin, scope } = build(module, loader());
      await plugin.start();
      const outcome = await Promise.try(() => plugin.collect()).then(
        () => 'a snapshot',
        (error: unknown) => error,
      );
      assert.ok(outcome === 'a snapshot' || outcome instanceof MemWatcherError, String(outcome));
      await scope.close();
    });

    test('collecting before the start is an error, not a crash', async () => {
      const { plugin, scope } = build(module, loader());
      await assert.rejects(async () => await plugin.collect(), MemWatcherError);
      await scope.close();
    });
  });
}
