import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { PatientReader } from './patient-reader.js';

/** Readings that end when they are told to. */
function slow() {
  const readings: PromiseWithResolvers<string>[] = [];
  const reader = new PatientReader(() => {
    const reading = Promise.withResolvers<string>();
    readings.push(reading);
    return reading.promise;
  });
  return { readings, reader };
}

const NOW = 0;
const LONG = 60_000;

test('gives what was read in time, one after the other', async () => {
  let n = 0;
  const reader = new PatientReader(() => ++n);
  for (const value of [1, 2, 3]) {
    assert.deepEqual(await reader.take(LONG), { kind: 'read', value, previous: false });
  }
});

test('gives an error, thrown or rejected, and reads again', async () => {
  let n = 0;
  const reader = new PatientReader(() => {
    if (++n < 3) throw new Error('no');
    return n;
  });
  assert.equal((await reader.take(LONG)).kind, 'failed');
  assert.equal((await reader.take(LONG)).kind, 'failed');
  assert.deepEqual(await reader.take(LONG), { kind: 'read', value: 3, previous: false });
});

test('does not begin a reading while one is under way', async () => {
  const { reader, readings } = slow();
  assert.deepEqual(await reader.take(NOW), { kind: 'late' });
  const taken = reader.take(LONG);
  readings[0]?.resolve('first');
  assert.deepEqual(await taken, { kind: 'read', value: 'first', previous: false });
  assert.equal(readings.length, 1);
});

test('gives a late reading with the next, unless that has a newer one', async () => {
  const { reader, readings } = slow();
  await reader.take(NOW);
  readings[0]?.resolve('first');
  await setImmediate();
  assert.deepEqual(await reader.take(NOW), { kind: 'read', value: 'first', previous: true });
  readings[1]?.resolve('second');
  await setImmediate();
  const taken = reader.take(LONG);
  readings[2]?.resolve('third');
  assert.deepEqual(await taken, { kind: 'read', value: 'third', previous: false });
});

test('does not wait for whoever is in a hurry', async () => {
  const { reader } = slow();
  const hurry = new AbortController();
  const taken = reader.take(LONG, hurry.signal);
  hurry.abort();
  assert.deepEqual(await taken, { kind: 'late' });
});
