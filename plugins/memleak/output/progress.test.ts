import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeSnapshot } from './fake.js';
import { planOf } from './options.js';
import { progressText } from './progress.js';

test('progress says how far it is and what was found', () => {
  const plan = planOf({ duration: '60s' });
  assert.deepEqual([plan.window, plan.collect], [5000, 1000]);
  assert.equal(
    progressText(plan, 42_300, fakeSnapshot({ states: [{ state: 'suspected', count: 3 }] })),
    '42 s of 60 s, window 5 s, 1.2 M allocations, 3 stacks suspected',
  );
  assert.equal(progressText(planOf({}), 90_000, undefined), '90 s, window 5 s, nothing read yet');
});

test('the windows of short runs are shorter, long ones find as soon; a given one goes first', () => {
  assert.equal(planOf({ duration: '24s' }).window, 2000);
  assert.equal(planOf({ duration: '12h' }).window, 5000);
  assert.equal(planOf({ duration: '1h', window: '10s' }).window, 10_000);
  assert.equal(planOf({ duration: '1h', window: '10s' }).collect, 2000);
  assert.equal(planOf({ once: true }).duration, 60_000);
  assert.equal(planOf({ live: true }).duration, Number.POSITIVE_INFINITY);
});
