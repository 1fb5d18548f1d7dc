/** What a live test sees of a plugin that the kernel refuses: the reason, and no wait. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { withRefused } from '../../../test/fakes/refused.js';
import { skip, stacksOf, started, working } from './testing/leaky.js';
import { Reading } from './testing/reading.js';

suite('a plugin that cannot start', { skip, timeout: 60_000 }, () => {
  test('ends the wait for its figures, with the reason of the kernel', async (t) => {
    const root = withRefused('memleak');
    t.after(() => rmSync(root, { recursive: true }));
    const target = await started(t);
    const main = join(root, 'dist/mem-watcher.js');
    const args = ['leaks', '--pid', String(target.pid), '--live', '--format', 'json'];
    const cli = Reading.of(t, process.execPath, [main, ...args]);
    const isSeen = () => stacksOf(cli).length > 0;
    await assert.rejects(
      cli.reaches('the first stack', isSeen, working(target, 'leak 1')),
      /ended before the first stack:.*memleak could not start.*GPL-restricted/s,
    );
    assert.equal(await cli.closed, 1);
  });
});
