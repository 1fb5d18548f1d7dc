import assert from 'node:assert/strict';
import { it } from 'node:test';
import { bootTime, pageSize, parseCpuList, possibleCpus } from './host.js';

it('reads the page size', () => {
  const auxv = new BigUint64Array([16n, 5n, 6n, 65_536n, 0n, 0n]);
  assert.equal(pageSize(new Uint8Array(auxv.buffer)), 65_536);
  assert.throws(() => pageSize(new Uint8Array(16)), /page size/);
  assert.ok([4096, 16_384, 65_536].includes(pageSize()));
});

it('knows when the host booted', () => {
  assert.equal(bootTime('cpu 1\nbtime 1700000000\nprocesses 2\n'), 1_700_000_000_000);
  assert.throws(() => bootTime('cpu 1\n'), /btime/);
  assert.ok(bootTime() < Date.now());
});

it('reads CPU lists', () => {
  assert.deepEqual(parseCpuList('0-3,8\n'), [0, 1, 2, 3, 8]);
  assert.deepEqual(parseCpuList('0\n'), [0]);
  assert.deepEqual(parseCpuList('\n'), []);
  assert.ok(possibleCpus().length > 0);
});
