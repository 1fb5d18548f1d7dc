/** What the original's command line promised, by the plugins that there are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expandAliases } from '../../core/cli/aliases.js';
import { plugins } from './harness.js';

const ORIGINAL = { '-a': 'paf', '-p': 'pr', '-r': 'procstat', '-s': 'sysstat' } as const;

for (const [flag, tool] of Object.entries(ORIGINAL)) {
  test(`${flag} and --${tool} are ${tool}`, () => {
    assert.deepEqual(expandAliases([flag], plugins), [tool]);
    assert.deepEqual(expandAliases([`--${tool}`], plugins), [tool]);
  });
}

test('-l and --memleak take a process and lead to its report in the original text', () => {
  const meant = ['leaks', '--live', '--format', 'original', '--pid', '42'];
  for (const line of ['-l 42', '-l42', '--memleak=42', '--memleak 42', '-l -P 42']) {
    assert.deepEqual(expandAliases(line.split(' '), plugins), meant, line);
  }
  const rest = ['--interval', '2s', '--top', '3'];
  assert.deepEqual(expandAliases(['-l', '42', ...rest], plugins), [...meant, ...rest]);
  const once = ['leaks', '--format', 'original', '--pid', '42', '--once'];
  assert.deepEqual(expandAliases(['-l', '42', '--once'], plugins), once);
});

test('-l without a process is the kernel, unless others are chosen', () => {
  const words = ['leaks', '--live', '--format', 'original'];
  assert.deepEqual(expandAliases(['-l'], plugins), [...words, '--kernel']);
  const chosen = ['--executable', 'shop'];
  assert.deepEqual(expandAliases(['-l', ...chosen], plugins), [...words, ...chosen]);
});

test('-P chooses a process of each tool that sees processes', () => {
  for (const flag of ['-a', '-p', '-r'] as const) {
    const meant = [ORIGINAL[flag], '--pid', '42'];
    assert.deepEqual(expandAliases([flag, '-P', '42'], plugins), meant);
  }
});

test('tools that see processes choose them by pid, name, cgroup and container', () => {
  for (const name of ['paf', 'pr', 'procstat']) {
    const { view, metadata } = plugins.find((one) => one.metadata.name === name) ?? assert.fail();
    const flags = (view.options ?? []).map(({ flags: all }) => all.split(' ')[0]);
    for (const flag of ['--pid', '--name', '--cgroup', '--container'])
      assert.ok(flags.includes(flag), `${name} ${flag}`);
    for (const key of ['pids', 'names', 'cgroups', 'containers'])
      assert.ok(key in metadata.config.shape, `${name} ${key}`);
  }
});
