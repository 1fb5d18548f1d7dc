/** memleak that is enabled and has nothing to trace. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start } from './live-truth.js';

test('without targets the status says what to configure, and lays nothing to the kernel', async (t) => {
  const live = await start({ config: { targets: [] } });
  t.after(() => live.close());
  await live.collect();
  const { state, reason, lacks } = live.health.current;
  assert.equal(state, 'degraded');
  assert.match(reason ?? '', /^there is nothing to trace: plugins\.memleak\.targets is empty/);
  assert.match(reason ?? '', /add a target .* or set kernel\.enabled to true/);
  assert.ok(!lacks.some((lack) => /target|watch/.test(lack)), lacks.join());
});

test('with a target it traces, and the status says nothing of targets', async (t) => {
  const live = await start({ config: { targets: [{ executable: 'no-such-program' }] } });
  t.after(() => live.close());
  await live.collect();
  assert.doesNotMatch(live.health.current.reason ?? '', /nothing to trace/);
});
