/**
 * What each kernel of the matrix is known to do, seen once without this code. The live tests skip a
 * strategy that a kernel lacks: here it fails if a kernel lacks what it has, by our own mistake.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import 'reflect-metadata';
import { findInstallation } from '../../../core/install.js';
import { explain } from '../../../core/kernel/loader.js';
import { readProfile } from '../../../core/kernel/profile.js';
import { RunningKernel } from '../../../core/kernel/running-kernel.js';
import { plugins } from '../../../plugins/index.js';

const SYSSTAT = ['cgroup', 'address', 'allocation-fentry', 'allocation-kprobe'];
/** Task storage for tracing programs came with 5.11; GCC splits finish_task_switch since 5.16. */
const PROCSTAT = ['task-iterator', 'sched-switch', 'sched-switch-hash', 'finish-task-switch-isra'];

type Strategies = Readonly<Record<string, readonly string[]>>;
const KNOWN: Readonly<Record<string, Strategies>> = {
  '5.10': {
    sysstat: SYSSTAT,
    procstat: ['task-iterator', 'sched-switch-hash', 'finish-task-switch'],
  },
  '6.1': { sysstat: SYSSTAT, procstat: PROCSTAT },
  '6.12': { sysstat: SYSSTAT, procstat: PROCSTAT },
  newest: { sysstat: SYSSTAT, procstat: PROCSTAT },
};

const name = process.env.MEM_WATCHER_VM ?? '';
const known = KNOWN[name];
const skip = known ? false : 'only of the kernels of the matrix it is known';

test('every strategy that this kernel is known to do is offered, and no other', { skip }, () => {
  const { profiles } = findInstallation(import.meta.url);
  const kernel = new RunningKernel();
  const offered = plugins.map(({ metadata }) => {
    const { verdicts } = explain(kernel, readProfile(profiles, metadata.name));
    const possible = verdicts.filter(({ outcome }) => outcome !== 'rejected');
    return [metadata.name, possible.map(({ strategy }) => strategy)] as const;
  });
  const expected = plugins.map(({ metadata }) => [metadata.name, known?.[metadata.name]] as const);
  assert.deepEqual(offered, expected);
});
