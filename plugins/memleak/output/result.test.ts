import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LeakStack } from '../model.js';
import { fakeSnapshot, fakeTarget, STACKS } from './fake.js';
import { planOf } from './options.js';
import { resultOf } from './result.js';

const SAMPLED = { samplingInterval: 65_536, missedAllocations: 0, missedFrees: 0, recorded: 9 };

const snapshotOf = (bytes: number, coverage: number) => {
  const [stack] = STACKS;
  assert.ok(stack);
  const seen: LeakStack = {
    ...stack,
    reading: { ...stack.reading, bytes, bytesError: bytes / 2 },
    judgement: { ...stack.judgement, coverage },
  };
  const target = fakeTarget({ bytes: 1024 * 1024, coverage: SAMPLED });
  return fakeSnapshot({ targets: [target], stacks: [seen] });
};

const notes = (options: Record<string, unknown>, bytes: number, coverage: number) =>
  resultOf(planOf(options), {
    by: 'done',
    elapsed: 60_000,
    snapshot: snapshotOf(bytes, coverage),
    said: undefined,
  }).notes;

test('who has too few samples of what holds the most is told how to get more', () => {
  assert.deepEqual(notes({ duration: '60s' }, 512 * 1024, 0.4), [
    'no verdict of 512 KiB in 1 stack: one sample in 64.0 KiB shows too little of them; ' +
      'try --sampling full, which costs the target more, or a longer --duration',
  ]);
  assert.match(notes({ sampling: '64KiB' }, 512 * 1024, 0.4)[0] ?? '', /try a finer --sampling/);
});

test('nothing is said of sampling where it shows enough, or where little is held', () => {
  assert.deepEqual(notes({ duration: '60s' }, 512 * 1024, 0.6), []);
  assert.deepEqual(notes({ duration: '60s' }, 64 * 1024, 0.4), []);
});

test('growth that recorded allocations do not explain is told, with who sees the rest', () => {
  const grown = (executable: string, bytes: number) => {
    const target = fakeTarget({
      executable,
      comm: 'it',
      bytes,
      rssAnon: 150e6,
      rssAnonBefore: 9e6,
    });
    const snapshot = fakeSnapshot({ targets: [target], stacks: [] });
    return resultOf(planOf({}), { by: 'done', elapsed: 1, snapshot, said: undefined }).notes;
  };
  assert.match(
    grown('/usr/bin/python3.11', 49 * 1024).join(),
    /^it \(2429\) has grown by 134 MiB while watched, of which 49.0 KiB are outstanding .*PYTHONMALLOC=malloc/,
  );
  assert.match(grown('/usr/bin/shop', 49 * 1024).join(), /--mmap/);
  assert.deepEqual(grown('/usr/bin/shop', 100e6), []);
});

test('of a file that is named in part it is said once what is missing', () => {
  const [stack] = STACKS;
  assert.ok(stack);
  const frame = { address: 1n, inlined: false, module: '/opt/shop', lack: 'no .dwo files' };
  const frames = [{ ...frame, function: 'buy' }, { ...frame, function: 'sell' }, frame];
  const snapshot = fakeSnapshot({ targets: [fakeTarget({})], stacks: [{ ...stack, frames }] });
  const { notes } = resultOf(planOf({}), { by: 'done', elapsed: 1, snapshot, said: undefined });
  assert.deepEqual(
    notes.filter((note) => note.startsWith('/opt')),
    ['/opt/shop: no .dwo files'],
  );
});
