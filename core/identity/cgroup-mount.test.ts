import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cgroupMounts, folderOf } from './cgroup-mount.js';

const HYBRID = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 master:2 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 /docker/x /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/uni\\040fied rw - cgroup2 cgroup2 rw
garbage
`;

describe('cgroupMounts', () => {
  const mounts = cgroupMounts(HYBRID);
  const of = (controller: string | undefined) =>
    mounts.filter((mount) => mount.controller === controller);

  it('finds each hierarchy by its controllers', () => {
    assert.deepEqual(of('memory'), [
      { controller: 'memory', root: '/docker/x', point: '/sys/fs/cgroup/memory' },
    ]);
    assert.equal(of('cpuacct')[0]?.point, '/sys/fs/cgroup/cpu,cpuacct');
    assert.equal(of('name=systemd').length, 1);
    assert.equal(of('hugetlb').length, 0);
  });

  it('finds the unified one, also behind blanks', () => {
    assert.deepEqual(of(undefined), [
      { controller: undefined, root: '/', point: '/sys/fs/cgroup/uni fied' },
    ]);
  });

  it('finds none in nothing', () => assert.deepEqual(cgroupMounts(''), []));
});

describe('folderOf', () => {
  const whole = { controller: undefined, root: '/', point: '/cg' };
  const part = { controller: undefined, root: '/docker/x', point: '/cg' };
  it('finds what the mount shows', () => {
    assert.equal(folderOf(whole, '/a/b'), '/cg/a/b');
    assert.equal(folderOf(part, '/docker/x'), '/cg');
    assert.equal(folderOf(part, '/docker/x/init'), '/cg/init');
  });
  it('finds nothing else', () => {
    assert.equal(folderOf(part, '/docker/xy'), undefined);
    assert.equal(folderOf(part, '/'), undefined);
    assert.equal(folderOf(whole, '/../up'), undefined);
    assert.equal(folderOf(whole, 'relative'), undefined);
  });
  it('finds what a mount from outside of the namespace shows', () => {
    const outside = { controller: undefined, root: '/../..', point: '/host/cg' };
    assert.equal(folderOf(outside, '/../../docker/x'), '/host/cg/docker/x');
    assert.equal(folderOf(outside, '/../sibling'), undefined);
    assert.equal(folderOf(outside, '/own'), undefined);
    assert.equal(folderOf(outside, '/../../..'), undefined);
  });
  it('knows the root', () => assert.equal(folderOf(whole, '/'), '/cg/'));
});
