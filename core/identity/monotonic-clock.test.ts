import assert from 'node:assert/strict';
import { it } from 'node:test';
import { MonotonicClock } from './monotonic-clock.js';

/** Both clocks run by what the test says; the wall's shows whole milliseconds. */
function fake(offset: number) {
  let ns = 5_000_400_000;
  let shift = offset;
  const clock = new MonotonicClock({
    monotonic: () => BigInt(ns),
    wall: () => {
      ns += 1000;
      return Math.floor(shift + ns / 1e6);
    },
  });
  return {
    clock,
    pass: (ms: number) => {
      ns += ms * 1e6;
    },
    set: (ms: number) => {
      shift += ms;
    },
    truth: () => shift + ns / 1e6,
    now: () => ns,
  };
}

it('knows the time to microseconds from clocks of milliseconds', () => {
  const { clock, truth, now } = fake(1_700_000_000_000.25);
  assert.ok(Math.abs(clock.unix(now()) - truth()) < 0.01);
});

it('follows a clock that was set, in either direction', () => {
  const { clock, truth, now, pass, set } = fake(1_700_000_000_000);
  for (const step of [3_600_000, -7_200_000]) {
    set(step);
    pass(1000);
    clock.sync();
    assert.ok(Math.abs(clock.unix(now()) - truth()) < 0.01);
  }
});

it('is not disturbed by the fractions that the wall leaves away', () => {
  const { clock, truth, now, pass } = fake(1_700_000_000_000);
  for (let n = 0; n < 100; n++) {
    pass(0.37);
    clock.sync();
  }
  assert.ok(Math.abs(clock.unix(now()) - truth()) < 0.01);
});

it('agrees with the clock of this machine', () => {
  const clock = new MonotonicClock();
  const before = Date.now();
  const told = clock.unix(clock.now());
  assert.ok(told >= before - 1 && told <= Date.now() + 1, `${told - before} ms off`);
});
