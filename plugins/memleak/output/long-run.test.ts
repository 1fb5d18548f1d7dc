/** What a run of a minute finds, a longer one finds as soon: the finest windows are the same. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { judgeOptionsOf, judgingConfig } from '../judge/config.js';
import { createJudge } from '../judge/create-judge.js';
import { Random } from '../judge/simulation/random.js';
import { readingsOf } from '../judge/simulation/readings.js';
import { Trace } from '../judge/simulation/trace.js';
import type { Judgement } from '../model.js';
import { planOf } from './options.js';
import { overridesOf } from './overrides.js';

const MINUTE = 60;
/** Allocations a second that stay. The last is as seldom as a minute can confirm. */
const RATES = [1000, 20, 2, 1, 0.5, 0.25];
const LONGER = ['5m', '15m', '2h', '12h', '7d'];

interface Course {
  /** When it was first in that state, seconds. */
  readonly suspected?: number;
  readonly confirmed?: number;
  readonly last?: Judgement;
}

/** A leak among traffic, as `leaks -d DURATION` sees it for `seconds`, at most all of it. */
function watched(duration: string, rate: number, seconds: number, age?: number): Course {
  const plan = planOf({ duration, pid: ['1'] });
  const own = overridesOf(plan, { plugins: [] }).map(({ value }) => value.plugins);
  const given = own.map((plugins) => (plugins as { memleak?: object } | undefined)?.memleak ?? {});
  const { judging = {} } = Object.assign({}, ...given) as { judging?: object };
  const judge = createJudge(judgeOptionsOf(judgingConfig.parse(judging)));
  const trace = new Trace();
  for (let time = 0.01; time < seconds; time += 0.02) trace.add(time, time + 0.3, 64);
  for (let time = 0.5 / rate; time < seconds; time += 1 / rate) {
    trace.add(time, Number.POSITIVE_INFINITY, 64);
  }
  const watching = {
    length: seconds,
    interval: plan.collect / 1000,
    jitter: 0,
    missed: 0,
    agesEvery: 1,
    sampling: 0,
  };
  const course: { -readonly [name in keyof Course]: Course[name] } = {};
  for (const { reading, time, coverage } of readingsOf(trace, watching, new Random(1))) {
    const known = age === undefined ? {} : { age: age + time };
    judge.observe(reading, time, { coverage, outstandingBytes: reading.bytes, ...known });
    for (const { after } of judge.conclude(time, time * 1000)) {
      if (after.state === 'suspected') course.suspected ??= time;
      if (after.state === 'confirmed') course.confirmed ??= time;
    }
  }
  const last = judge.judgement('1');
  return { ...course, ...(last && { last }) };
}

suite('a long run', () => {
  for (const rate of RATES) {
    test(`confirms ${rate} allocations per second as soon as a run of a minute`, () => {
      const { suspected, confirmed } = watched('60s', rate, MINUTE);
      assert.ok(suspected !== undefined && confirmed !== undefined, 'a minute confirms it');
      for (const duration of LONGER) {
        const longer = watched(duration, rate, MINUTE);
        assert.deepEqual([longer.suspected, longer.confirmed], [suspected, confirmed], duration);
      }
    });

    test(`suspects ${rate} per second of a process as soon as a run of a minute`, () => {
      const { suspected } = watched('60s', rate, MINUTE, 30);
      assert.ok(suspected !== undefined);
      for (const duration of LONGER) {
        assert.equal(watched(duration, rate, MINUTE, 30).suspected, suspected, duration);
      }
    });
  }

  test('does not take back what a minute confirms while it goes on', () => {
    for (const rate of [20, 1, 0.25]) {
      const { confirmed, last } = watched('15m', rate, 15 * MINUTE);
      assert.ok(confirmed !== undefined && confirmed <= MINUTE, `${rate}: ${confirmed} s`);
      assert.deepEqual([last?.state, last?.class], ['confirmed', 'leak'], `${rate} per second`);
    }
  });

  test('finds what is too seldom for a minute by its coarser windows', () => {
    assert.equal(watched('60s', 0.05, MINUTE).confirmed, undefined);
    const { confirmed } = watched('15m', 0.05, 15 * MINUTE);
    assert.ok(confirmed !== undefined && confirmed < 6 * MINUTE, `${confirmed} s`);
  });

  test('has a verdict of who runs out of memory and dies in its first minute', () => {
    for (const duration of LONGER) {
      const { last } = watched(duration, 1000, 55);
      assert.deepEqual([last?.state, last?.class], ['confirmed', 'leak'], duration);
      const process = watched(duration, 1000, 30, 5);
      assert.deepEqual(
        [process.last?.state, process.last?.kind],
        ['suspected', 'growing'],
        duration,
      );
    }
  });
});
