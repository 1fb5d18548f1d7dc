import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { assertGoldenText } from '../../../test/fakes/golden.js';
import {
  C_FRAMES,
  fakeSnapshot,
  fakeStack,
  fakeTarget,
  HOSTILE_NAME,
  SHOP,
  STACKS,
} from './fake.js';
import { foldedText } from './folded.js';
import { FORMATS, isBinary, render } from './formats.js';
import { stackJson } from './json.js';
import { select } from './select.js';

const TESTDATA = join(import.meta.dirname, '../../../../plugins/memleak/output/testdata');

describe('goldens', () => {
  for (const format of FORMATS.filter((one) => !isBinary(one))) {
    test(format, (context) => {
      const text = String(render(format, fakeSnapshot()));
      assertGoldenText(context, join(TESTDATA, `snapshot.${format}`), text);
    });
  }
});

test('no format lets a hostile name through to a terminal', () => {
  for (const format of FORMATS.filter((one) => !isBinary(one))) {
    const text = String(render(format, fakeSnapshot()));
    assert.ok(!text.includes(HOSTILE_NAME), format);
    assert.doesNotMatch(text, /[^\P{Cc}\n]/u, format);
  }
});

test('every format says that there is nothing', () => {
  const nothing = fakeSnapshot({ stacks: [], states: [], targets: [fakeTarget({ bytes: 0 })] });
  for (const format of FORMATS) assert.doesNotThrow(() => render(format, nothing), format);
  assert.equal(render('folded', nothing), '');
  assert.equal(render('json', nothing), '');
  assert.match(String(render('svg', nothing)), />Nothing is outstanding\.</);
  assert.match(String(render('table', nothing)), /nothing is outstanding of 1,234,567 allocations/);
  assert.match(
    String(render('table', fakeSnapshot({ stacks: [], targets: [] }))),
    /no process is watched/,
  );
});

test('json: exactly the keys that are promised, null for what nobody knows', () => {
  for (const line of String(render('json', fakeSnapshot())).trimEnd().split('\n')) {
    const record = JSON.parse(line) as Record<string, unknown> & { frames: object[] };
    assert.deepEqual(Object.keys(record), [
      'stack_id',
      'state',
      'class',
      'kind',
      'confidence',
      'bytes',
      'allocations',
      'heap_bytes',
      'lost_bytes',
      'lost_allocations',
      'growth_bytes_per_hour',
      'oldest_age_seconds',
      'coverage',
      'frames',
    ]);
    for (const frame of record.frames) {
      assert.deepEqual(Object.keys(frame), [
        'address',
        'function',
        'offset',
        'file',
        'line',
        'inlined',
        'module',
        'build_id',
      ]);
    }
  }
  const { ageQuantiles: _, ...young } = fakeStack({
    id: 'x',
    frames: [],
    bytes: 1,
    allocations: 1,
  });
  const { oldest_age_seconds, growth_bytes_per_hour, confidence } = stackJson(young);
  assert.deepEqual([oldest_age_seconds, growth_bytes_per_hour, confidence], [null, null, null]);
});

test('folded: each line is frames and a number, and equal paths are one', () => {
  const [, leak] = STACKS;
  assert.ok(leak);
  const lines = foldedText(fakeSnapshot({ stacks: [...STACKS, leak] }))
    .trimEnd()
    .split('\n');
  assert.equal(lines.length, STACKS.length);
  for (const line of lines) assert.match(line, /^[^;\s][^;]*(;[^;]+)* \d+$/);
  assert.ok(lines[0]?.endsWith(';operator new(unsigned long) 12000000'));
});

test('several processes are told apart at the root', () => {
  const other = { ...SHOP, pid: 2430 };
  const [stack] = STACKS;
  assert.ok(stack);
  const text = foldedText({
    targets: [fakeTarget(), fakeTarget({ source: other })],
    stacks: [stack, { ...stack, reading: { ...stack.reading, source: other } }],
  });
  assert.deepEqual(text.match(/^[^;]+/gm), ['shop-2429', 'shop-2430']);
});

test('--older-than and --top choose stacks, largest first, and what is left out is counted', () => {
  const young = select(fakeSnapshot(), { olderThan: 10 });
  assert.equal(young.stacks.length, STACKS.length - 1);
  assert.ok(young.stacks.every(({ id }) => id !== '00000000000000c1'));
  const top = select(fakeSnapshot({ omitted: 3 }), { top: 2 });
  assert.deepEqual(
    top.stacks.map(({ id }) => id),
    ['00000000000000c2', '00000000000000c3'],
  );
  assert.equal(top.omitted, 3 + STACKS.length - 2);
  const { ageQuantiles: _, ...unknown } = fakeStack({
    id: 'x',
    frames: C_FRAMES,
    bytes: 1,
    allocations: 1,
  });
  assert.equal(select(fakeSnapshot({ stacks: [unknown] }), { olderThan: 10 }).stacks.length, 1);
});
