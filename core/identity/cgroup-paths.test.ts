import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CgroupPaths, type CgroupSearch } from './cgroup-paths.js';

/** Where no folder of a cgroup can be seen. */
const nowhere: CgroupSearch = { find: () => undefined, confirms: () => undefined };

const fakePaths = (read: (pid: number | 'self') => string, tree = nowhere) =>
  new CgroupPaths({ read, tree: () => tree });

it('asks once a cgroup, and again after it was forgotten', () => {
  const asked: (number | 'self')[] = [];
  const paths = fakePaths((pid) => {
    asked.push(pid);
    return `0::/group-of-${pid}\n`;
  });
  assert.equal(paths.of(7, 100)?.path, '/group-of-100');
  assert.equal(paths.of(7, 101)?.path, '/group-of-100');
  paths.sweep();
  assert.equal(paths.of(7, 102)?.path, '/group-of-100');
  paths.sweep();
  paths.sweep();
  assert.equal(paths.size, 0);
  assert.equal(paths.of(7, 103)?.path, '/group-of-103');
  assert.deepEqual(asked, [100, 103]);
});

it('keeps the hierarchies apart, whose ids overlap', () => {
  const paths = fakePaths(() => '4:memory:/v1\n0::/v2\n');
  assert.equal(paths.of(1, 5)?.path, '/v2');
  assert.equal(paths.of(1, 5, 'memory')?.path, '/v1');
});

it('does not remember a process that was gone', () => {
  let gone = true;
  const paths = fakePaths(() => {
    if (gone) throw new Error('ENOENT');
    return '0::/there\n';
  });
  assert.equal(paths.of(1, 5), undefined);
  gone = false;
  assert.equal(paths.of(1, 6)?.path, '/there');
});
