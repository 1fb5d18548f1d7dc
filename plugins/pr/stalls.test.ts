import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PrCgroup } from './events.gen.js';
import { typeNumber } from './fake.js';
import type { ReclaimType } from './reclaim.js';
import { Stalls } from './stalls.js';
import type { TableSnapshot } from './table.js';

const figures = (ns: number) => ({
  episodes: ns / 100,
  ns,
  max_ns: ns,
  requested: 0,
  scanned: 0,
  reclaimed: 0,
});
const row = (cgroup: number, type: ReclaimType, ns: number): PrCgroup => ({
  key: { cgroup, cgroup_v1: 0, type: typeNumber(type) },
  used: 1,
  pid: 1,
  instant: 0,
  figures: figures(ns),
  buckets: [],
});
const snapshot = (
  rows: readonly PrCgroup[],
  overflow: readonly PrCgroup[] = [],
): TableSnapshot<PrCgroup> => ({
  entries: rows.map((each) => ({
    slot: each.key.cgroup * 10 + each.key.type,
    row: each,
    since: each.key.cgroup,
  })),
  overflow: new Map(overflow.map((each) => [each.key.type, each])),
  leaving: [],
});

const A = 'a'.repeat(64);

/** Cgroups 1 and 2 are known, 2 is a container; all others are not. */
function fakeStalls() {
  const known = new Map([
    [1, { line: '0::/one', path: '/one', containerId: undefined, podUid: undefined }],
    [2, { line: '0::/two', path: '/two', containerId: A, podUid: undefined }],
  ]);
  return { known, stalls: new Stalls(({ key }) => known.get(key.cgroup)) };
}

const told = (reports: ReturnType<Stalls['add']>) =>
  reports.map(({ attributes, ns }) => [attributes['process.linux.cgroup'] ?? 'other', ns]);

describe('time that cgroups waited', () => {
  it('is of direct, memcg and node reclaim, longest first', () => {
    const { stalls } = fakeStalls();
    const reports = stalls.add(
      snapshot([
        row(1, 'direct', 100),
        row(2, 'memcg', 300),
        row(2, 'node', 100),
        row(1, 'soft_limit', 1000),
        row(0, 'kswapd', 5000),
      ]),
      0,
    );
    assert.deepEqual(told(reports), [
      ['0::/two', 400],
      ['0::/one', 100],
    ]);
    assert.deepEqual(reports[0]?.attributes, {
      'process.linux.cgroup': '0::/two',
      'container.id': A,
    });
    assert.deepEqual(
      reports.map(({ episodes, startTime }) => [episodes, startTime]),
      [
        [4, 2],
        [1, 1],
      ],
    );
  });

  it('of those that cannot be named is one, with what found no room', () => {
    const { stalls } = fakeStalls();
    const reports = stalls.add(
      snapshot([row(8, 'direct', 100), row(9, 'direct', 100)], [row(0, 'memcg', 500)]),
      0,
    );
    assert.deepEqual(reports, [
      { attributes: { 'memwatcher.reclaim.other': true }, ns: 700, episodes: 7, startTime: 8 },
    ]);
  });

  it('never falls: not when a name is lost, nor a slot', () => {
    const { stalls, known } = fakeStalls();
    stalls.add(snapshot([row(1, 'direct', 100)]), 0);
    known.delete(1);
    assert.deepEqual(told(stalls.add(snapshot([row(1, 'direct', 150)]), 0)), [
      ['0::/one', 100],
      ['other', 50],
    ]);
    assert.deepEqual(told(stalls.add(snapshot([]), 0)), [
      ['0::/one', 100],
      ['other', 50],
    ]);
  });

  it('ends when its cgroup is gone, and begins anew if it comes again', () => {
    const { stalls } = fakeStalls();
    stalls.add(snapshot([row(1, 'direct', 100)]), 0);
    for (let n = 0; n < 5; n++) stalls.add(snapshot([]), 0);
    assert.deepEqual(stalls.add(snapshot([]), 0), []);
    const again = snapshot([row(1, 'direct', 20)]);
    const later = { ...again, entries: again.entries.map((entry) => ({ ...entry, since: 77 })) };
    const [report] = stalls.add(later, 0);
    assert.deepEqual([report?.ns, report?.startTime], [20, 77]);
  });

  it('counts from when its name came back, where that was lost for long', () => {
    const { stalls, known } = fakeStalls();
    const name = known.get(1) ?? assert.fail();
    stalls.add(snapshot([row(1, 'direct', 100)]), 10);
    known.delete(1);
    for (let n = 2; n < 8; n++) stalls.add(snapshot([row(1, 'direct', 100)]), n * 10);
    known.set(1, name);
    const [report] = stalls.add(snapshot([row(1, 'direct', 130)]), 80);
    assert.deepEqual([report?.attributes['process.linux.cgroup'], report?.ns], ['0::/one', 30]);
    assert.equal(report?.startTime, 70);
  });
});
