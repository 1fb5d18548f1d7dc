import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearest, suggestion } from './nearest.js';

const keys = ['interval', 'exporters', 'resource', 'kernel', 'log', 'shutdown_timeout'];

for (const [word, meant] of [
  ['intervall', 'interval'],
  ['inetrval', 'interval'],
  ['Interval', 'interval'],
  ['exporter', 'exporters'],
  ['shutdown-timeout', 'shutdown_timeout'],
  ['kernle', 'kernel'],
  ['zebra', undefined],
  ['', undefined],
] as const) {
  test(`${word || 'nothing'} means ${meant ?? 'none of them'}`, () => {
    assert.equal(nearest(word, keys), meant);
  });
}

test('what is valid is listed where nothing is near', () => {
  assert.equal(suggestion('zebra', ['a', 'b']), '; valid: a, b');
  assert.equal(suggestion('zebra', []), '; nothing can be set here');
});
