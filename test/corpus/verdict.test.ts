import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CorpusProgram, readCorpus } from './manifest.js';
import { type Alarm, judge } from './verdict.js';
import { frameOf } from './watch.js';

const named = (name: string): CorpusProgram => {
  const program = readCorpus().find((each) => each.name === name);
  assert.ok(program, name);
  return program;
};
const alarm = (...lines: string[]): Alarm => ({
  state: 'confirmed',
  confidence: 0.9,
  stack: lines.join(),
  frames: lines.map(frameOf),
  seconds: 9,
  age: 8,
  text: '',
});
const lineOf = (program: CorpusProgram, mark: string) =>
  program.marks.find((each) => each.mark === mark)?.line;

test('a frame is read with and without its source', () => {
  assert.deepEqual(frameOf('000055e032027205: alloc_v3 @ 0x11e9+0x1c /test_leak.c:11'), {
    function: 'alloc_v3',
    file: '/test_leak.c',
    line: 11,
  });
  assert.deepEqual(frameOf('000055e032027205: operator new(unsigned long) @ 0x11e9+0x1c'), {
    function: 'operator new(unsigned long)',
  });
  assert.deepEqual(frameOf('                  helper @ /a b/test.c:5 [inlined]'), {
    function: 'helper',
    file: '/a b/test.c',
    line: 5,
  });
});

test('the marked line counts wherever it is on the stack', () => {
  const program = named('leaks/steady');
  const at = `0: leak @ 0x1+0x1 /c/steady.c:${lineOf(program, 'LEAK')}`;
  const { found, missed, falseAlarms } = judge(program, [alarm('0: x @ 0x1+0x1', at)]);
  assert.deepEqual([found.length, found[0]?.exactness, missed, falseAlarms], [1, 'line', [], []]);
});

test('a wrapper’s line is its caller’s leak, known by the caller alone', () => {
  const program = named('leaks/xmalloc');
  const at = `0: xmalloc @ 0x1+0x1 /c/xmalloc.c:${lineOf(program, 'DIRECT')}`;
  assert.equal(judge(program, [alarm(at)]).found[0]?.exactness, 'caller');
  assert.equal(judge(named('leaks/strdup_loop'), [alarm('0: strdup @ 0x1+0x1')]).missed.length, 0);
});

test('another line is a false alarm, and the leak is missed', () => {
  const { missed, falseAlarms } = judge(named('leaks/steady'), [
    alarm('0: main @ 0x1+0x1 /c/steady.c:1'),
  ]);
  assert.deepEqual([missed.length, falseAlarms.length], [1, 1]);
});

test('nothing excuses an alarm in a program that does not leak', () => {
  const { falseAlarms } = judge(named('quiet/map_bounded'), [alarm('0: operator new @ 0x1+0x1')]);
  assert.equal(falseAlarms.length, 1);
});

test('what only grows is to be suspected: to confirm it so soon is a false alarm', () => {
  const program = named('leaks/global_list');
  const at = `0: leak @ 0x1+0x1 /c/global_list.c:${lineOf(program, 'LEAK')}`;
  const suspected = judge(program, [{ ...alarm(at), state: 'suspected' }]);
  assert.deepEqual([suspected.found.length, suspected.falseAlarms.length], [1, 0]);
  assert.equal(judge(program, [alarm(at)]).falseAlarms.length, 1);
  const lost = named('leaks/steady');
  const there = `0: leak @ 0x1+0x1 /c/steady.c:${lineOf(lost, 'LEAK')}`;
  assert.equal(judge(lost, [{ ...alarm(there), state: 'suspected' }]).found.length, 0);
});

test('each stack that was called a leak is one claim: the last that was said of it', () => {
  const program = named('leaks/steady');
  const leak = alarm(`0: leak @ 0x1+0x1 /c/steady.c:${lineOf(program, 'LEAK')}`);
  const other = alarm('0: main @ 0x1+0x1 /c/steady.c:1');
  const { claims } = judge(program, [
    { ...leak, state: 'suspected', confidence: 0.5 },
    leak,
    other,
  ]);
  assert.deepEqual(claims, [
    { confidence: 0.9, isLeak: true },
    { confidence: 0.9, isLeak: false },
  ]);
});
