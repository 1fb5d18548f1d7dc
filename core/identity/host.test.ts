import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { it } from 'node:test';
import { bootTime, pageSize, parseCpuList, possibleCpus } from './host.js';

it('reads the page size', () => {
  assert.equal(pageSize('1000-2000 r--p\nSize:  128 kB\nKernelPageSize:       64 kB\n'), 65_536);
  assert.throws(() => pageSize('1000-2000 r--p\n'), /page size/);
  assert.equal(pageSize(), Number(execFileSync('getconf', ['PAGESIZE'], { encoding: 'utf8' })));
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
