/** Ranges that are apart, nested, and none. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { RangeIndex } from './range-index.js';

it('the innermost range that holds an address is found', () => {
  const index = new RangeIndex();
  assert.equal(index.find(1n), undefined);
  index.add(50n, 60n, 3);
  index.add(10n, 40n, 1);
  index.add(20n, 30n, 2);
  index.add(50n, 55n, 4);
  const found = [9n, 10n, 19n, 20n, 29n, 30n, 39n, 40n, 50n, 55n, 60n].map((at) => index.find(at));
  assert.deepEqual(found, [undefined, 1, 1, 2, 2, 1, 1, undefined, 4, 3, undefined]);
  index.add(70n, 71n, 5);
  assert.equal(index.find(70n), 5);
});

it('what is no range of a machine is left out', () => {
  const index = new RangeIndex();
  index.add(5n, 5n, 1);
  index.add(9n, 3n, 1);
  index.add(1n, 0xffff_ffff_ffff_fff0n, 1);
  assert.equal(index.size, 0);
  assert.equal(index.find(5n), undefined);
});
