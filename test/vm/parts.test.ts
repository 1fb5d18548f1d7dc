import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseSources } from './archive.js';
import { bundleTests } from './bundle.js';
import { CpioArchive } from './cpio.js';
import { splatsOf } from './guest.js';
import { timesText } from './times.js';

test('sources of apt in both formats', () => {
  const text = `# a comment
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib
deb-src http://mirror.example/debian bookworm main
deb http://mirror.example/debian-security bookworm-security main

Types: deb
# http://old.example/debian
URIs: http://other.example/debian
Suites: trixie trixie-updates
Components: main
`;
  assert.deepEqual(parseSources(text), [
    { uri: 'http://mirror.example/debian', suites: ['bookworm'] },
    { uri: 'http://mirror.example/debian-security', suites: ['bookworm-security'] },
    { uri: 'http://other.example/debian', suites: ['trixie', 'trixie-updates'] },
  ]);
});

test('only what the kernel says after the agent’s start is a splat', () => {
  const log = `[ 0.1] WARNING: CPU: 0 PID: 1 at early.c:1
[ 2.0] mem-watcher: start
[ 2.1] all is well
[ 2.2] BUG: unable to handle page fault for address: 0
[ 2.3] nr_hugepages: page allocation failure: order:9
[ 2.4] rcu: INFO: rcu_sched self-detected stall on CPU`;
  assert.deepEqual(
    splatsOf(log).map((line) => line.slice(0, 6)),
    ['[ 2.2]', '[ 2.4]'],
  );
  assert.deepEqual(splatsOf('a guest that never started\nBUG: early'), []);
});

test('where the time of a guest went: boot, slowest files first, the rest', () => {
  const files = [
    { file: 'dist/a/quick.test.js', ms: 500 },
    { file: 'dist/a/slow.test.js', ms: 2500 },
  ];
  assert.equal(
    timesText({ bootMs: 4000, totalMs: 8200 }, files),
    'boot 4.0 s, files: a/slow 2.5 s, a/quick 0.5 s; rest 1.2 s',
  );
});

test('a bundled test finds files from the place of its module in the guest', async () => {
  const own = 'dist/plugins/sysstat/live.test.js';
  const bundled = await bundleTests([own]);
  const paths = bundled.map(({ path }) => path);
  for (const path of [own, 'dist/core/main.js']) assert.ok(paths.includes(path), path);
  const text = bundled.map(({ content }) => Buffer.from(content).toString()).join('\n');
  assert.match(
    text,
    /findInstallation\d*\("file:\/\/\/app\/dist\/plugins\/sysstat\/live\.test\.js"\)/,
  );
});

const BUSYBOX = '/bin/busybox';
const skip = existsSync(BUSYBOX) ? false : 'busybox is not installed';

test('an archive unpacks to what was put in, concatenated or not', { skip }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-cpio-'));
  const first = new CpioArchive().file('/a/b/one', 'odd', 0o755).link('a/link', 'b/one').build();
  const second = new CpioArchive().file('a/b/two', Buffer.alloc(5000, 7)).build();
  writeFileSync(join(dir, 'both.cpio'), Buffer.concat([first, second]));
  for (const archive of [first, second]) {
    execFileSync(BUSYBOX, ['cpio', '-idm', '--quiet'], { cwd: dir, input: archive });
  }
  assert.equal(readFileSync(join(dir, 'a/link'), 'utf8'), 'odd');
  assert.equal(statSync(join(dir, 'a/b/one')).mode & 0o777, 0o755);
  assert.deepEqual(readFileSync(join(dir, 'a/b/two')), Buffer.alloc(5000, 7));
  rmSync(dir, { recursive: true });
});
