import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReaderFailures } from './reader-failures.js';

test('a file at which the reader failed is read again at once, then after pauses that double', () => {
  let now = 0;
  const failures = new ReaderFailures(1000, () => now);
  failures.add('a', 'it died');
  assert.equal(failures.of('a'), undefined);
  for (const pause of [1000, 2000, 4000]) {
    failures.add('a', 'it died');
    assert.match(failures.of('a') ?? '', /^it died .*next attempt in/);
    assert.equal(failures.of('b'), undefined, 'another file');
    now += pause;
    assert.equal(failures.of('a'), undefined);
  }
  failures.clear('a');
  failures.add('a', 'it died');
  assert.equal(failures.of('a'), undefined);
});

test('no more files are remembered than the limit', () => {
  const failures = new ReaderFailures(1000, () => 0);
  for (let n = 0; n < 2000; n++) {
    failures.add(`${n}`, 'it died');
    failures.add(`${n}`, 'it died');
  }
  assert.equal(failures.of('0'), undefined);
  assert.ok(failures.of('1999'));
});
