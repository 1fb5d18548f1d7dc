/** What growth comes to with what is known of references. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Coverage, Judgement, Reach, Reading } from '../model.js';
import { createJudge } from './create-judge.js';

const WINDOW = 300;
const EVERY = 30;

interface Course {
  readonly hours: number;
  /** Of the process when it is first seen, seconds. */
  readonly age?: number;
  /** By seconds watched. */
  readonly lost?: (time: number) => number | undefined;
  readonly allocations?: (time: number) => number;
  readonly missed?: Partial<Coverage>;
}

/** Judgements by seconds watched, of a stack that grows by a block a second. */
function judged({
  hours,
  age = 0,
  lost = () => undefined,
  allocations = (time) => time,
  missed = {},
}: Course) {
  const judge = createJudge({ window: WINDOW });
  const course: [time: number, Judgement][] = [];
  for (let time = EVERY; time <= hours * 3600; time += EVERY) {
    // Frees that were missed before the stack was first seen are not its own.
    const missedFrees = time > EVERY ? (missed.missedFrees ?? 0) : 0;
    const { missedAllocations = 0 } = missed;
    const coverage = { samplingInterval: 0, missedAllocations, missedFrees, recorded: 1e6 };
    const reading = readingOf(allocations(time), time, lost(time));
    judge.observe(reading, time, { coverage, outstandingBytes: 1e9, age: age + time });
    judge.conclude(time, time * 1000);
    course.push([time, judge.judgement('one') as Judgement]);
  }
  return course;
}

function readingOf(allocations: number, time: number, lost: number | undefined): Reading {
  const reach: Reach | undefined =
    lost === undefined
      ? undefined
      : {
          time,
          lost,
          lostBytes: 64 * lost,
          lostRecords: lost,
          reached: allocations - lost,
          reachedBytes: 64 * (allocations - lost),
          isHidden: false,
        };
  return {
    source: { kind: 'process', pid: 7, startTime: 1 },
    key: 'one',
    frames: [1n],
    depth: 'end',
    bytes: 64 * allocations,
    allocations,
    bytesError: 0,
    allocatedBytes: 64 * allocations,
    allocatedCount: allocations,
    freedBytes: 0,
    freedCount: 0,
    firstSeen: 0,
    ...(reach && { reach }),
  };
}

const firstConfirmed = (course: readonly [number, Judgement][]): number | undefined =>
  course.find(([, { state }]) => state === 'confirmed')?.[0];

describe('a stack that grows', () => {
  test('and is still referenced is suspected, and a leak only after more than an hour', () => {
    const course = judged({ hours: 3, lost: () => 0 });
    const time = firstConfirmed(course) ?? assert.fail('it is never confirmed');
    assert.ok(time > 3600 && time < 2.5 * 3600, `after ${time} s`);
    const [, at] = course.find(([seconds]) => seconds === 3000) ?? assert.fail();
    assert.deepEqual([at.state, at.class, at.kind], ['suspected', 'leak', 'growing']);
    assert.ok((at.confidence ?? 1) <= 0.6);
    assert.match(at.reason, /all of it is still referenced: a cache may fill like this/);
    const [, last] = course.at(-1) ?? assert.fail();
    assert.ok((last.confidence ?? 1) <= 0.9);
  });

  test('in a process that was old has to grow for as long again', () => {
    assert.equal(firstConfirmed(judged({ hours: 3, age: 6 * 3600, lost: () => 0 })), undefined);
    const time = firstConfirmed(judged({ hours: 14, age: 6 * 3600, lost: () => 0 }));
    assert.ok(time !== undefined && time > 6 * 3600, `${time}`);
  });

  test('and is lost is confirmed as soon as that is known', () => {
    const course = judged({ hours: 1, lost: (time) => (time < 120 ? undefined : time - 60) });
    assert.equal(firstConfirmed(course), 120);
    assert.equal(course.at(-1)?.[1].kind, 'lost');
  });

  test('lost what it lost long ago, and no more, is resolved', () => {
    const course = judged({
      hours: 4,
      allocations: (time) => Math.min(time, 1200),
      lost: (time) => (time < 120 ? undefined : Math.min(time, 1200) - 60),
    });
    assert.equal(firstConfirmed(course), 120);
    assert.equal(course.at(-1)?.[1].state, 'resolved');
  });

  test('and is lost is confirmed whatever was missed of allocations', () => {
    const course = judged({ hours: 1, lost: (time) => time, missed: { missedAllocations: 9e7 } });
    assert.equal(firstConfirmed(course), EVERY);
    const [, last] = course.at(-1) ?? assert.fail();
    assert.deepEqual([last.kind, last.confidence], ['lost', 0.99]);
  });

  test('and seems lost is not, where as many frees were missed', () => {
    const lost = (time: number) => Math.min(time - EVERY, 600);
    const course = judged({ hours: 1, lost, missed: { missedFrees: 600 } });
    const kinds = course.map(([, { kind }]) => kind);
    assert.ok(!kinds.includes('lost'));
    const beyond = judged({ hours: 1, lost, missed: { missedFrees: 500 } });
    assert.ok(beyond.some(([time, { kind }]) => time > 500 && kind === 'lost'));
  });

  test('that loses a block an hour does not go to and fro', () => {
    const course = judged({
      hours: 24,
      allocations: (time) => 100 + Math.floor(time / 3600),
      lost: (time) => Math.floor(time / 3600),
    });
    const time = firstConfirmed(course) ?? assert.fail('it is never confirmed');
    const states = course.filter(([seconds]) => seconds >= time).map(([, { state }]) => state);
    assert.deepEqual([...new Set(states)], ['confirmed']);
  });
});
