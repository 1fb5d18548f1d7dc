/** Strategies whose programs probe functions of user space: kind, no attaching at start, the trial. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeBpfHost } from '../../test/fakes/bpf-host.js';
import { NotSupported } from '../errors.js';
import { silentLogger } from '../logger.js';
import type { Kernel, Strategy } from './kernel.js';
import { createBpfLoader } from './loader.js';
import { parseProfile } from './profile.js';

const kernel: Kernel = {
  release: '9.9.9-test',
  btfPath: '/btf',
  check: () => ({ holds: true }),
  resolve: () => 0,
  enumerators: () => undefined,
};

const strategies: readonly Strategy[] = [
  { name: 'first', summary: 'first', programs: ['both', 'tick'], uprobes: 'session' },
  {
    name: 'second',
    summary: 'second',
    programs: ['entry', 'leave', 'tick'],
    uprobes: { entry: 'multi' },
  },
];

function loading(bothError?: Error) {
  const host = new FakeBpfHost({
    programs: {
      both: { section: 'uprobe', ...(bothError && { attachError: bothError }) },
      entry: { section: 'uprobe.s' },
      leave: { section: 'uretprobe/x' },
      tick: { section: 'tp_btf/sched_switch' },
    },
  });
  const profile = { plugin: 'demo', strategies };
  const options = { host, kernel, profile, objectFile: 'demo.bpf.o', strategy: 'auto' };
  return { host, loaded: createBpfLoader({ ...options, logger: silentLogger }).load() };
}

test('uprobes are of the kind that the strategy says, tried, and not attached at start', () => {
  const { host, loaded } = loading();
  const [object] = host.objects;
  assert.equal(loaded.strategy, 'first');
  assert.deepEqual([...loaded.links.keys()], ['tick']);
  assert.deepEqual([...(object?.uprobeKinds ?? [])], [['both', 'session']]);
  assert.equal(object?.uprobes.size, 0, 'the trial leaves nothing');
});

test('a kernel that refuses the trial gets the next strategy; what is not named is perf', () => {
  const { host, loaded } = loading(new NotSupported('sessions'));
  const [refused, object] = host.objects;
  assert.equal(loaded.strategy, 'second');
  assert.ok(refused?.closed);
  assert.deepEqual(
    [...(object?.uprobeKinds ?? [])],
    [
      ['entry', 'multi'],
      ['leave', 'perf'],
    ],
  );
});

test('a profile names kinds that there are, of programs that are its own', () => {
  const parse = (uprobes: string) =>
    parseProfile(
      'demo',
      'demo.yaml',
      `strategies:\n  - name: a\n    summary: a\n    programs: [p]\n    attach: []\n    uprobes: ${uprobes}\n`,
    );
  assert.equal(parse('multi').strategies[0]?.uprobes, 'multi');
  assert.deepEqual(parse('{ p: session }').strategies[0]?.uprobes, { p: 'session' });
  assert.throws(() => parse('often'));
  assert.throws(() => parse('{ q: multi }'), /q, which is not among its programs/);
});
