import assert from 'node:assert/strict';
import { test } from 'node:test';
import { duration, formatDuration, formatSize, parseDuration, parseSize, size } from './units.js';

test('durations and sizes are read with their unit', () => {
  assert.equal(parseDuration('250ms'), 250);
  assert.equal(parseDuration(' 1.5m '), 90_000);
  assert.equal(parseDuration('2 h'), 7_200_000);
  for (const wrong of ['10', 's', '-1s', '1e3s', '1s2s', '1S', '']) {
    assert.equal(parseDuration(wrong), undefined, wrong);
  }
  assert.equal(parseSize('64MiB'), 64 * 1024 ** 2);
  assert.equal(parseSize('1kB'), 1000);
  assert.equal(parseSize('4096'), 4096);
  for (const wrong of ['MiB', '-1B', '1mib', '0x10'])
    assert.equal(parseSize(wrong), undefined, wrong);
});

test('what is written is read as the same', () => {
  for (const ms of [0, 1, 999, 1000, 1500, 60_000, 90_000, 3_600_000, 86_400_000]) {
    assert.equal(parseDuration(formatDuration(ms)), ms, formatDuration(ms));
  }
  for (const bytes of [0, 1, 1000, 1024, 1536, 1024 ** 2, 1024 ** 4]) {
    assert.equal(parseSize(formatSize(bytes)), bytes, formatSize(bytes));
  }
  assert.equal(formatDuration(10_000), '10s');
  assert.equal(formatSize(16 * 1024 ** 2), '16MiB');
});

test('a bare number is bytes, but no duration', () => {
  assert.equal(size().parse(512), 512);
  assert.equal(duration().safeParse(512).success, false);
  assert.equal(size().safeParse(-1).success, false);
  assert.equal(size().safeParse(Number.NaN).success, false);
});
