/** Two programs that carry the same build id, traced at the same time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attached, start } from './live-truth.js';
import type { LeakSnapshot } from './model.js';
import { compiled, skip, started, told } from './output/testing/leaky.js';

const ID = '-Wl,--build-id=0x00112233445566778899aabbccddeeff00112244';

/** Names on the stacks of a process that has leaked. */
const namesOf = ({ stacks }: LeakSnapshot, pid: number): readonly string[] =>
  stacks
    .filter(({ reading: { source } }) => source.kind === 'process' && source.pid === pid)
    .flatMap(({ frames }) => frames.flatMap(({ function: name }) => name ?? []));

test('stacks of both have the names of their own program', { skip }, async (t) => {
  const forged = compiled('forged', ID, '-Dleak_here=forged_it') ?? '';
  const honest = compiled('honest', ID) ?? '';
  const [one, other] = [await started(t, forged), await started(t, honest)];
  const targets = [{ pid: one.pid }, { pid: other.pid }];
  const live = await start({ config: { targets, budget: 0, limit: 0, top: 1000 } });
  t.after(() => live.close());
  // The forged one is named first.
  for (const { pid } of [one, other]) await attached(live, pid);
  for (const target of [one, other]) {
    // What it allocates before it is recorded is not seen.
    do await told(target, 'leak 100');
    while (namesOf(await live.collect(), target.pid).length === 0);
  }
  const snapshot = await live.collect();
  assert.ok(namesOf(snapshot, one.pid).includes('forged_it'));
  assert.ok(namesOf(snapshot, other.pid).includes('leak_here'));
  assert.ok(!namesOf(snapshot, other.pid).includes('forged_it'));
  assert.ok(!namesOf(snapshot, one.pid).includes('leak_here'));
});
