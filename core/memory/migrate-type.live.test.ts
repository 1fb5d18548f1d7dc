import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { RunningKernel } from '../kernel/running-kernel.js';
import { MigrateTypes } from './migrate-type.js';

test('kinds of page blocks are those of /proc/pagetypeinfo, in its order', () => {
  const text = readFileSync('/proc/pagetypeinfo', 'utf8');
  // The columns of its last table are the kinds.
  const [, columns = ''] = /^Number of blocks type\s+(.*)$/m.exec(text) ?? [];
  const names = columns
    .trim()
    .split(/\s+/)
    .map((name) => name.toLowerCase());
  assert.ok(names.length >= 4, columns);
  const types = MigrateTypes.of(new RunningKernel());
  assert.deepEqual([...types.all], [...names.entries()]);
  for (const [value, name] of names.entries()) {
    assert.equal(types.name(value), name);
    assert.equal(types.value(name), value);
  }
});

test('no other number and no other name is known', () => {
  const types = MigrateTypes.of(new RunningKernel());
  for (const value of [-1, types.all.size, 255]) assert.equal(types.name(value), undefined);
  for (const name of ['pcptypes', 'types', '', 'Movable']) {
    assert.equal(types.value(name), undefined);
  }
});
