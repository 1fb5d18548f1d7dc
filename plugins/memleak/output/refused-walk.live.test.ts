/** What `leaks` prints as a real process where the kernel refuses a walk, or every strategy. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { suite, type TestContext, test } from 'node:test';
import { LAUNCHER, withOurNode } from '../../../test/launcher.js';
import { skip, started } from './testing/leaky.js';

/** Lines of stderr. */
async function leaks(t: TestContext, refuse: string): Promise<string[]> {
  const target = await started(t);
  const args = ['leaks', '--pid', String(target.pid), '--duration', '1s'];
  const env = withOurNode({ ...process.env, MEM_WATCHER_REFUSE: refuse });
  return new Promise((resolve) => {
    execFile(LAUNCHER, args, { env }, (_, __, stderr) => resolve(stderr.trim().split('\n')));
  });
}

suite('leaks on a kernel that refuses', { skip, timeout: 120_000 }, () => {
  test('the helper of the best walk prints one line', async (t) => {
    const lines = await leaks(t, 'helper:bpf_for_each_map_elem');
    const notes = lines.filter((line) => line.includes('walks live allocations'));
    assert.equal(notes.length, 1);
    const refused = 'the kernel refused the BPF helper bpf_for_each_map_elem \\(EINVAL\\)';
    assert.match(notes[0] ?? '', new RegExp(`: no for-each, ${refused}(; no iterator, [^;]*)?$`));
  });

  test('what every strategy needs prints one sentence', async (t) => {
    const lines = await leaks(t, 'helper:bpf_probe_read_user');
    assert.equal(lines.length, 1, lines.join('\n'));
    const refused = 'the kernel refused the BPF helper bpf_probe_read_user \\(EINVAL\\); .+';
    assert.match(lines[0] ?? '', new RegExp(`^mem-watcher: memleak could not start: .*${refused}`));
    assert.doesNotMatch(lines[0] ?? '', /r\d = |invalid func|uprobe-multi:/);
  });
});
