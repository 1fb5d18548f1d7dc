import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { isRemotePath, Mounts, parseMounts } from './mounts.js';

const TEXT = [
  '21 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw',
  '22 21 0:20 / /proc rw,nosuid - proc proc rw',
  '40 21 0:45 / /home/anna/far\\040away rw,nosuid,nodev shared:9 - fuse.sshfs anna@host: rw',
  '41 21 0:46 / /srv rw - nfs4 server:/srv rw',
  '42 41 254:2 / /srv/local rw - xfs /dev/vdb rw',
  'nonsense',
  '43 21 x:y / /bad rw - fuse a b',
].join('\n');

test('file systems whose server may not answer are known by their type', () => {
  assert.deepEqual(
    parseMounts(TEXT)
      .filter(({ remote }) => remote)
      .map(({ device, point }) => [device, point]),
    [
      ['00:2d', '/home/anna/far away'],
      ['00:2e', '/srv'],
    ],
  );
});

test('a path is where the innermost mount is', () => {
  const mounts = parseMounts(TEXT);
  for (const [path, remote] of [
    ['/usr/lib/x.so', false],
    ['/srv', true],
    ['/srv/x', true],
    ['/srvx', false],
    ['/srv/local/x', false],
    ['/home/anna/far away/x', true],
  ] as const) {
    assert.equal(isRemotePath(mounts, path), remote, path);
  }
});

test('of two mounts at one point the later is seen', () => {
  const mounts = parseMounts(
    ['1 0 8:1 / /a rw - nfs4 a rw', '2 0 8:2 / /a rw - ext4 b rw'].join('\n'),
  );
  assert.equal(isRemotePath(mounts, '/a/x'), false);
});

test('of this process, the device of its own program is known and answers', () => {
  const mounts = new Mounts();
  const line = readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .find((each) => each.endsWith(process.execPath));
  const device = line?.split(' ')[3] ?? '';
  assert.match(device, /^[0-9a-f]+:[0-9a-f]+$/);
  assert.equal(mounts.isRemoteDevice(process.pid, device), false);
  assert.equal(mounts.mayLookUp(process.pid, process.execPath), true);
  assert.ok(statSync(process.execPath).isFile());
});

test('who has gone has no mounts', () => {
  assert.equal(new Mounts().isRemoteDevice(2 ** 30, '00:2d'), false);
});
