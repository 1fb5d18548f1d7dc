import assert from 'node:assert/strict';
import { it } from 'node:test';
import { StatusKeeper } from '../status.js';
import { CgroupPaths, type CgroupSearch } from './cgroup-paths.js';

/** Where no folder of a cgroup can be seen, as in a container with a cgroup namespace of its own. */
const nowhere: CgroupSearch = {
  find: () => undefined,
  confirms: () => undefined,
  idOf: () => undefined,
};
/** Folders that confirm whatever /proc says. */
const everywhere: CgroupSearch = {
  find: () => undefined,
  confirms: () => true,
  idOf: () => undefined,
};

const fakePaths = (read: (pid: number | 'self') => string, tree = everywhere) =>
  new CgroupPaths({ read, tree: () => tree });

it('reads /proc once per cgroup, and again after the cgroup was forgotten', () => {
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

const A = 'a1b2c3d4'.repeat(8);
const found = (paths: Readonly<Record<number, string>>): CgroupSearch => ({
  find: (id) => paths[id],
  confirms: (path, id) => (Object.values(paths).includes(path) ? paths[id] === path : undefined),
  idOf: (path) => {
    const id = Object.keys(paths).find((each) => paths[Number(each)] === path);
    return id === undefined ? undefined : Number(id);
  },
});

it('searches the cgroup of a process that is gone', () => {
  const read = (pid: number | 'self') => {
    if (pid !== 'self') throw new Error('ENOENT');
    return '4:memory:/own\n0::/\n';
  };
  const paths = fakePaths(read, found({ 7: `/docker/${A}` }));
  assert.deepEqual(paths.of(7, 100, 'memory'), {
    line: `4:memory:/docker/${A}`,
    path: `/docker/${A}`,
    containerId: A,
    podUid: undefined,
  });
  assert.equal(paths.of(7, 100)?.line, `0::/docker/${A}`);
  assert.equal(paths.unknown, 0);
});

it('does not take the cgroup that a process has moved to for the one it was in', () => {
  const paths = fakePaths(() => '0::/now\n', found({ 7: '/then', 8: '/now' }));
  assert.equal(paths.of(7, 100)?.path, '/then');
  assert.equal(paths.of(8, 100)?.path, '/now');
  // Removed: where the process is now is known, and not asked for.
  assert.equal(paths.of(9, 100), undefined);
});

it('does not report a path that no folder confirms', () => {
  const paths = fakePaths(() => '0::/../outside (deleted)\n', found({ 7: '/then' }));
  assert.equal(paths.of(9, 100), undefined);
  assert.equal(paths.unknown, 1);
});

it('does not label a cgroup with the container that one of its processes moved to', () => {
  const SERVICE = 7;
  // 100 was in the service when the kernel saw it, and is in the container when /proc is read.
  const read = (pid: number | 'self') =>
    pid === 100 ? `0::/../docker/${A}\n` : '0::/../containerd.service\n';
  const paths = fakePaths(read, nowhere);
  for (const pid of [100, 101, 100]) assert.equal(paths.of(SERVICE, pid)?.containerId, undefined);
});

it('counts each unknown cgroup once for as long as it is asked for', () => {
  const status = new StatusKeeper('pool', () => undefined);
  status.running();
  const paths = fakePaths(() => '');
  for (let turn = 0; turn < 3; turn++) {
    paths.of(5, 1);
    paths.of(5, 2);
    paths.of(6, 1, 'memory');
    paths.sweep(status);
    assert.equal(status.cgroupsGoneCount, 2);
    assert.equal(status.current.state, 'ok');
  }
  assert.equal(paths.unknown, 2);
});

it('tells where a process is now, of what a folder here confirms', () => {
  let text = '0::/system.slice/containerd.service\n';
  const paths = fakePaths(
    () => text,
    found({ 7: '/system.slice/containerd.service', 8: `/docker/${A}` }),
  );
  assert.equal(paths.ofProcess(100)?.containerId, undefined);
  text = `0::/docker/${A}\n`;
  assert.equal(paths.ofProcess(100)?.containerId, A);
  text = `0::/../docker/${A}\n`;
  assert.equal(paths.ofProcess(100), undefined);
});
