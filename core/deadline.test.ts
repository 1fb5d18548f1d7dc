import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Deadline, withDeadline } from './deadline.js';

test('every step has what those before have left of its share', () => {
  let now = 500;
  const deadline = new Deadline(8000, () => now);
  assert.equal(deadline.until(0.25), 2000);
  now += 500;
  assert.deepEqual([deadline.until(0.25), deadline.until()], [1500, 7500]);
  now += 5000;
  assert.deepEqual([deadline.until(0.25), deadline.until(0.75), deadline.until()], [0, 500, 2500]);
});

test('work that is interrupted is not waited for', async () => {
  const interruption = new AbortController();
  const waiting = withDeadline(() => new Promise(() => {}), 60_000, 'it', interruption.signal);
  interruption.abort();
  await assert.rejects(waiting, { code: 'DEADLINE_EXCEEDED', message: 'it was interrupted' });
  const { signal } = interruption;
  await assert.rejects(withDeadline(() => new Promise(() => {}), 60_000, 'it', signal));
});
