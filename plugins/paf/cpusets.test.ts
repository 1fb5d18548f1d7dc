import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCpusets } from './cpusets.js';

const HEAD = '#subsys_name\thierarchy\tnum_cgroups\tenabled\n';
const MOUNT = '35 31 0:32 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n';

/** Files by path; all others are not there. */
const asked = (files: Readonly<Record<string, string>>) =>
  hasCpusets({
    read: (path) => {
      const text = files[path];
      if (text === undefined) throw new Error(`ENOENT: ${path}`);
      return text;
    },
  });

test('a v1 hierarchy has as many as it has groups', () => {
  assert.equal(asked({ '/proc/cgroups': `${HEAD}cpuset\t3\t1\t1\ncpu\t1\t9\t1\n` }), false);
  assert.equal(asked({ '/proc/cgroups': `${HEAD}cpuset\t3\t2\t1\n` }), true);
});

test('in v2 there are some once the root hands the controller down', () => {
  const v2 = (control: string) =>
    asked({
      '/proc/cgroups': `${HEAD}cpuset\t0\t99\t1\n`,
      '/proc/self/mountinfo': MOUNT,
      '/sys/fs/cgroup/cgroup.subtree_control': control,
    });
  assert.equal(v2('cpu memory pids\n'), false);
  assert.equal(v2('cpuset cpu memory\n'), true);
});

test('newer kernels name only v1 controllers in /proc/cgroups', () => {
  const files = {
    '/proc/cgroups': HEAD,
    '/proc/self/mountinfo': MOUNT,
    '/sys/fs/cgroup/cgroup.subtree_control': 'memory\n',
  };
  assert.equal(asked(files), false);
});

test('there may be some where nothing tells', () => {
  assert.equal(asked({}), true);
  const partly = MOUNT.replace(' / /sys', ' /docker/x /sys');
  assert.equal(asked({ '/proc/cgroups': HEAD, '/proc/self/mountinfo': partly }), true);
});
