import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Claim,
  calibrationRows,
  claimedFrom,
  holds,
  reliability,
  wilson,
} from './calibration.js';

/** `leaks` of `all` claims of one confidence are right. */
const claims = (confidence: number, leaks: number, all: number): Claim[] =>
  Array.from({ length: all }, (_, n) => ({ confidence, isLeak: n < leaks }));

const near = (found: number, expected: number) =>
  assert.ok(Math.abs(found - expected) < 5e-4, `${found}, not ${expected}`);

test('the interval is that of Wilson', () => {
  // Brown, Cai and DasGupta, "Interval Estimation for a Binomial Proportion", 2001: 8 of 10.
  const [low, high] = wilson(8, 10);
  near(low, 0.4902);
  near(high, 0.9433);
  const [least, most] = wilson(20, 20);
  near(least, 0.8389);
  assert.equal(most, 1);
  assert.equal(wilson(0, 20)[0], 0);
});

test('nothing is known of no trials', () => {
  assert.deepEqual(wilson(0, 0), [0, 1]);
});

test('a claim is in one bin, at its lower edge and at 1 too', () => {
  const bins = reliability([...claims(0.5, 1, 1), ...claims(1, 1, 1)], [0, 0.5, 1]);
  assert.deepEqual(
    bins.map(({ claims: all }) => all),
    [0, 2],
  );
  assert.equal(bins[1]?.confidence, 0.75);
});

test('a bin does not hold that is right less often than it says by more than chance', () => {
  assert.equal(holds(claimedFrom(claims(0.95, 93, 100), 0.9)), true, 'by chance');
  assert.equal(holds(claimedFrom(claims(0.95, 80, 100), 0.9)), false);
  assert.equal(holds(claimedFrom([], 0.9)), true, 'without claims nothing speaks against it');
});

test('a bench prints the bins that have claims, and all that is called 95 %', () => {
  const rows = calibrationRows('x', [...claims(0.6, 3, 4), ...claims(0.97, 50, 50)]);
  assert.deepEqual(
    rows.map(({ name, value, met }) => [name, value, met]),
    [
      ['x: called 0.5 to 0.7', 0.75, true],
      ['x: called 0.95 to 1', 1, true],
      ['x: called 0.95 and more', 1, true],
    ],
  );
  assert.match(rows[0]?.note ?? '', /^3 of 4 claims are leaks/);
});
