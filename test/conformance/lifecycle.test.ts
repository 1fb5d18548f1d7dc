import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemWatcherError } from '../../core/errors.js';
import { build, emptyLoader, plugins, Watch } from './harness.js';

for (const module of plugins) {
  describe(`${module.metadata.name}: its life`, () => {
    test('being built acquires nothing, and closing without start is harmless', async () => {
      const watch = new Watch();
      const { scope } = build(module, watch.loader(emptyLoader(module)));
      assert.equal(watch.calls, 0);
      await scope.close();
      await scope.close();
    });

    test('what start acquires is released by the scope, once', async () => {
      const watch = new Watch();
      const { plugin, scope } = build(module, watch.loader(emptyLoader(module)));
      await plugin.start();
      assert.ok(watch.open > 0);
      await scope.close();
      await scope.close();
      assert.equal(watch.open, 0);
    });

    test('a start that fails at any step leaks nothing', async () => {
      for (let failAt = 1; ; failAt++) {
        const watch = new Watch(failAt);
        const { plugin, scope } = build(module, watch.loader(emptyLoader(module)));
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
      const { plugin, scope } = build(module, emptyLoader(module));
      await plugin.start();
      try {
        await plugin.collect();
      } catch (error) {
        assert.ok(error instanceof MemWatcherError, String(error));
      }
      await scope.close();
    });

    test('collecting before the start is an error, not a crash', async () => {
      const { plugin, scope } = build(module, emptyLoader(module));
      await assert.rejects(async () => await plugin.collect(), MemWatcherError);
      await scope.close();
    });
  });
}
