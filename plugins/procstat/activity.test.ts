import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SeriesActivity } from './activity.js';
import { sample } from './sample.js';

const SINCE = 10_000;
const old = (pid: number, voluntarySwitches: number) =>
  sample({ pid, startTime: 0, voluntarySwitches });
const young = (pid: number, voluntarySwitches: number) =>
  sample({ pid, startTime: 20_000, voluntarySwitches });

describe('SeriesActivity', () => {
  const passes = (...all: readonly (readonly ReturnType<typeof sample>[])[]) => {
    const activity = new SeriesActivity(SINCE);
    return all.map((members, n) => {
      const { total } = activity.add('other', members);
      activity.finish(members, SINCE + n + 1);
      return total.voluntarySwitches;
    });
  };

  it('counts from when it first saw a process', () => {
    assert.deepEqual(passes([old(1, 500)], [old(1, 507)], [old(1, 509)]), [0, 7, 9]);
  });

  it('counts all of what began later', () => {
    assert.deepEqual(passes([old(1, 500)], [old(1, 500), young(2, 30)]), [0, 30]);
  });

  it('does not fall when a process exits, or its pid is used again', () => {
    const again = sample({ pid: 1, startNs: 5, startTime: 30_000, voluntarySwitches: 2 });
    assert.deepEqual(
      passes([old(1, 500), old(2, 9)], [old(1, 600), old(2, 9)], [old(2, 10)], [old(2, 10), again]),
      [0, 100, 101, 103],
    );
  });

  it('begins a series anew that nobody asked for in between', () => {
    const activity = new SeriesActivity(SINCE);
    const members = [old(1, 5)];
    assert.equal(activity.add('a', members).startTime, SINCE);
    activity.finish(members, 11_000);
    assert.equal(activity.add('a', members).startTime, SINCE);
    activity.finish(members, 12_000);
    activity.finish(members, 13_000);
    assert.equal(activity.add('a', members).startTime, 13_000);
  });
});
