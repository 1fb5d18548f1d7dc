/** `doctor` as a real process on a kernel that refuses something. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { LAUNCHER, withOurNode } from '../../test/launcher.js';

const skip = process.getuid?.() === 0 ? false : 'needs root to load BPF';

interface Check {
  readonly check: string;
  readonly status: string;
  readonly value: string;
}

function doctor(refuse: string): Promise<readonly Check[]> {
  const env = withOurNode({ ...process.env, MEM_WATCHER_REFUSE: refuse });
  return new Promise((resolve) => {
    execFile(LAUNCHER, ['doctor', '--json'], { env }, (_, stdout) => {
      const lines = stdout.split('\n').filter((line) => line !== '');
      resolve(lines.map((line) => JSON.parse(line) as Check));
    });
  });
}

test('doctor says in one line which way is in use instead of the refused one', {
  skip,
}, async () => {
  const checks = await doctor('program:iter/task');
  const { status, value } = checks.find(({ check }) => check === 'plugin.procstat') ?? {};
  assert.equal(status, 'ok');
  assert.equal(
    value,
    'task-list instead of task-iterator: the kernel refused BPF programs of type iter/task (EPERM)',
  );
});

test('doctor names in one line what leaves no way', { skip }, async () => {
  const checks = await doctor('map:percpu_array');
  const { status, value } = checks.find(({ check }) => check === 'plugin.sysstat') ?? {};
  assert.equal(status, 'fail');
  const refused = 'BPF maps of type percpu_array (EPERM)';
  assert.equal(value, `no strategy works: the kernel refused ${refused}`);
});
