import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PointBatchBuilder, type PointWriter } from '../../core/telemetry/points.js';
import { metadata, type PrMetadata } from './metadata.js';
import type { ReclaimSnapshot } from './reclaim.js';
import { report } from './report.js';
import { busy, empty } from './sample.js';

/** Every metric switched on. */
function pointsOf(snapshot: ReclaimSnapshot) {
  const builder = new PointBatchBuilder(metadata, () => true);
  report(snapshot, builder as PointWriter<PrMetadata>);
  const { metrics } = builder.build(0, 0);
  const values = (name: string, key?: string) =>
    Object.fromEntries(
      (metrics.find((metric) => metric.name === name)?.scalars ?? []).map(
        ({ attributes, value }) => [key === undefined ? '' : String(attributes[key]), value],
      ),
    );
  return { metrics, values };
}

const TYPE = 'memwatcher.reclaim.type';

describe('what pr reports', () => {
  it('is all that its metadata declares', () => {
    const names = pointsOf({
      ...busy,
      stalls: [{ attributes: {}, ns: 5e8, episodes: 2, startTime: 3 }],
      requests: [
        { type: 'direct', order: 3, flags: 'GFP_KERNEL', figures: figures(), startTime: 3 },
      ],
    }).metrics.map(({ name }) => name);
    assert.deepEqual(names, Object.keys(metadata.metrics));
  });

  it('begins every counter at 0, and says nothing of what is unknown', () => {
    const { values, metrics } = pointsOf(empty);
    const zeroes = { direct: 0, memcg: 0, soft_limit: 0, node: 0, kswapd: 0 };
    for (const name of ['requested', 'scanned', 'reclaimed', 'active']) {
      assert.deepEqual(values(`memwatcher.reclaim.${name}`, TYPE), zeroes, name);
    }
    const names = metrics.map(({ name }) => name);
    for (const name of ['encountered', 'throttled', 'throttles', 'kswapd.wakeups', 'stalled']) {
      assert.ok(!names.includes(`memwatcher.reclaim.${name}`), name);
    }
    assert.ok(!names.includes('system.paging.operations'));
  });

  it('has states of pages that the kernel tells, and no others', () => {
    const { values } = pointsOf(busy);
    const states = values('memwatcher.reclaim.encountered', 'memwatcher.reclaim.page.state');
    assert.equal(states.dirty, 77);
    assert.equal(states.immediate, 0);
    assert.ok(!('congested' in states) && !('demoted' in states));
  });

  it('adds nodes up, and has them apart', () => {
    const [row] = busy.pages;
    assert.ok(row);
    const { values } = pointsOf({ ...busy, pages: [row, { ...row, node: 1 }] });
    assert.equal(values('memwatcher.reclaim.scanned', TYPE).memcg, 2 * 574_875);
    const byNode = values('memwatcher.numa.reclaim.scanned', 'memwatcher.numa.node');
    assert.deepEqual(byNode, { 0: 574_875, 1: 574_875 });
  });

  it('does not add up what is known of one node only', () => {
    const [row] = busy.pages;
    assert.ok(row);
    const { values } = pointsOf({ ...busy, pages: [row, { ...row, node: 1, scanned: undefined }] });
    assert.ok(!('memcg' in values('memwatcher.reclaim.scanned', TYPE)));
    assert.equal(values('memwatcher.reclaim.reclaimed', TYPE).memcg, 2 * 42_033);
  });

  it('tells times in seconds', () => {
    const { values, metrics } = pointsOf(busy);
    const reasons = values('memwatcher.reclaim.throttled', 'memwatcher.reclaim.throttle.reason');
    assert.deepEqual(reasons, { no_progress: 0.3 });
    const durations = metrics.find(({ name }) => name === 'memwatcher.reclaim.duration');
    const memcg = durations?.histograms.find(({ attributes }) => attributes[TYPE] === 'memcg');
    assert.equal(memcg?.offset, -31 + 13);
    assert.equal(memcg?.buckets.length, 11);
  });
});

const figures = () => ({
  episodes: 1,
  ns: 1,
  maxNs: 1,
  requested: 1,
  scanned: 1,
  reclaimed: 1,
});
