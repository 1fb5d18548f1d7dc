import assert from 'node:assert/strict';
import { it, mock } from 'node:test';
import { EventWindow } from './event-window.js';

it('has what happens right after the handover, though the clock is set by whole milliseconds', (t) => {
  t.after(() => mock.restoreAll());
  let [elapsed, set] = [0.9, 0];
  mock.method(performance, 'now', () => elapsed);
  mock.method(Date, 'now', () => Math.floor(1_000_000 + elapsed) + set);
  const window = EventWindow.closed();
  elapsed = 10;
  window.openFrom(Date.now());
  for (const by of [-3_600_000, 3_600_000]) {
    set = by;
    elapsed += 0.05;
    assert.ok(window.has(Date.now()), `${by}`);
    assert.ok(!window.has(Date.now() - 5), `${by}`);
  }
});
