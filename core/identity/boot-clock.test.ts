import assert from 'node:assert/strict';
import { it } from 'node:test';
import { bootTimeByClock } from './boot-clock.js';
import { bootTime } from './host.js';

it('knows when the host booted by the clock', () => {
  assert.equal(
    bootTimeByClock(
      () => '12.34 20.00\n',
      () => 1_700_000_012_345,
    ),
    1_700_000_000_005,
  );
  // btime is the same moment without its fraction of a second.
  const fraction = bootTimeByClock() - bootTime();
  assert.ok(fraction > -1000 && fraction < 2000, `${fraction} ms apart`);
});
