import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameCache } from './frame-cache.js';

const frame = (name: string) => ({ name, inlined: false });

test('what is asked for stays, the rest goes when the bytes are used up', () => {
  const cache = new FrameCache(2000);
  for (let n = 0; n < 100; n++) {
    cache.set(`key${n}`, [frame(`function${n}`)]);
    cache.get('key0');
    assert.ok(cache.size <= 2000);
  }
  assert.deepEqual(cache.get('key0'), [frame('function0')]);
  assert.deepEqual(cache.get('key99'), [frame('function99')]);
  assert.equal(cache.get('key1'), undefined);
  assert.ok(cache.count > 3 && cache.count < 20);
});

test('what is set twice counts once', () => {
  const cache = new FrameCache(10_000);
  cache.set('key', [frame('one')]);
  const { size } = cache;
  cache.set('key', [frame('two')]);
  assert.equal(cache.size, size);
  assert.equal(cache.count, 1);
});

test('what is larger than all is not kept', () => {
  const cache = new FrameCache(1000);
  cache.set('key', [frame('x'.repeat(10_000))]);
  assert.equal(cache.count, 0);
  assert.equal(cache.size, 0);
});
