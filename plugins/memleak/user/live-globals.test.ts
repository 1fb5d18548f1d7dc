/** What the agent writes into the programs' memory, wherever the compiler put it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BpfObject } from '../../../core/bpf/host.js';
import { missing, open } from './live-watched.js';

/** The words of .bss, by offset. */
function words(object: BpfObject): bigint[] {
  const bss = object.map('.bss').mapped();
  try {
    return [...new BigUint64Array(bss.bytes.buffer, 0, Math.floor(bss.bytes.length / 8))];
  } finally {
    bss.close();
  }
}

test('the sampling interval reaches the programs when another variable is first in .bss', {
  skip: missing ?? false,
}, (t) => {
  const watch = open(t, 'auto', { object: 'memleak-shifted' });
  const { object } = watch.loaded;
  const before = words(object);
  watch.setSampling(65_536);
  const after = words(object);
  assert.equal(object.global('sampling_interval').get(), 65_536n);
  const changed = after.flatMap((word, at) => (word === before[at] ? [] : [at]));
  assert.equal(changed.length, 1, `${changed}`);
  assert.ok((changed[0] ?? 0) > 0, 'the test needs another variable in front');
});
