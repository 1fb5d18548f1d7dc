/** The fields of the original (to reclaim, reclaimed, unqueued dirty, congested, writeback) against the tracer. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runAlone } from '../../test/fakes/alone.js';
import { LivePlugin, type SeenSpan } from '../../test/fakes/live-plugin.js';
import { MemoryCgroup } from '../../test/fakes/memory-cgroup.js';
import { type Caused, press, pressureMissing } from '../../test/fakes/pressure.js';
import { pr } from './index.js';
import {
  attribute,
  hasSwap,
  isMultiGen,
  type LivePr,
  sumOf,
  tracingMissing,
} from './live-truth.js';
import {
  EVERY_EPISODE,
  fail,
  noReclaim,
  reclaim,
  type Witnessed,
  witnessed,
} from './live-workloads.js';
import type { ReclaimSnapshot } from './reclaim.js';

const skip = pressureMissing() ?? MemoryCgroup.missing() ?? tracingMissing() ?? false;
const MiB = 2 ** 20;
/** What every run wants at least: SWAP_CLUSTER_MAX of the kernel. */
const CLUSTER = 32;

describe('the fields of reclaim against the tracer', { skip, timeout: 600_000 }, () => {
  runAlone();

  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-pr-'));
  const isDisk = !/tmpfs|ramfs|rootfs/.test(fileSystemOf(dir));
  let live: LivePr;
  before(async () => {
    live = await LivePlugin.start<ReclaimSnapshot>(pr, EVERY_EPISODE);
  });
  after(async () => {
    await live.close();
    rmSync(dir, { recursive: true });
  });

  it('wants a cluster of pages for a page or four', async () => {
    const { spans } = await witnessed(live, fail);
    assert.deepEqual(new Set(of(spans, 'requested')), new Set([CLUSTER]));
  });

  it('wants no less for a larger folio or a batch', { skip: noReclaim }, async () => {
    const seen = await witnessed(live, () => reclaim(dir));
    assert.ok(of(seen.spans, 'requested').every((pages) => Number(pages) >= CLUSTER));
    compareStates(seen);
  });

  const noDisk = isDisk ? false : `${dir} is on no disk that is written back to`;
  it('meets the dirty pages that the tracer meets', { skip: noDisk }, async (t) => {
    const seen = await until(async () => {
      const one = await witnessed(live, () => dirty(join(dir, 'dirty')));
      compareStates(one);
      return total(one, 'dirty') > 0 && total(one, 'writeback') > 0 ? one : undefined;
    });
    for (const state of ['dirty', 'unqueued_dirty', 'writeback', 'immediate', 'congested'])
      t.diagnostic(`${state}: ${total(seen, state)} pages`);
    const unread = live.loaded.strategy === 'tracepoint' && 'the tracepoints do not have it';
    await t.test('and which of them are not queued', { skip: unread }, () => {
      assert.ok(total(seen, 'unqueued_dirty') > 0);
      assert.ok(total(seen, 'unqueued_dirty') < total(seen, 'dirty'));
    });
  });

  it('meets no dirty page where all are written', { skip: noReclaim || noDisk }, async () => {
    const seen = await witnessed(live, () => reclaim(dir));
    assert.ok(seen.spans.some((span) => Number(attribute(span, 'scanned')) > 0));
    for (const state of ['dirty', 'unqueued_dirty', 'writeback', 'congested'])
      assert.equal(total(seen, state), 0, state);
  });
});

/** A group at its limit with pages that are not yet written: of the file's own disk. */
function dirty(file: string): Caused[] {
  const isV1 = MemoryCgroup.version === 1;
  const group = MemoryCgroup.make(isV1 ? { limit: 16 * MiB } : { high: 16 * MiB });
  try {
    return press([group.enter, `dirty=${file}:${(64 * MiB) / 4096}`]);
  } finally {
    rmSync(file, { force: true });
    group.remove();
  }
}

/** By what the tracepoint prints; of unqueued dirty pages it tells the bounds. */
function compareStates({ spans, own }: Witnessed): void {
  assert.equal(spans.length, own.length);
  for (const [n, span] of spans.entries()) {
    const { lists } = own[n] ?? assert.fail();
    assert.equal(attribute(span, 'reclaimed'), sumOf(lists, 'nr_reclaimed'));
    if (isMultiGen()) continue;
    for (const [state, field] of TRACED) {
      const told = attribute(span, `encountered.${state}`);
      if (told !== undefined) assert.equal(told, sumOf(lists, field), state);
    }
    const unqueued = attribute(span, 'encountered.unqueued_dirty');
    if (unqueued === undefined) continue;
    // What is dirty is written already, or nobody has begun to. Pages of swap are never called dirty.
    const queued = sumOf(lists, 'nr_dirty') - Number(unqueued);
    const written = hasSwap() ? 0 : sumOf(lists, 'nr_writeback') + sumOf(lists, 'nr_immediate');
    assert.ok(queued >= written, `${queued} are queued, ${written} are being written`);
  }
}

const TRACED = [
  ['dirty', 'nr_dirty'],
  ['writeback', 'nr_writeback'],
  ['congested', 'nr_congested'],
  ['immediate', 'nr_immediate'],
] as const;

const of = (spans: readonly SeenSpan[], name: string) => spans.map((span) => attribute(span, name));

const total = ({ spans }: Witnessed, state: string): number =>
  spans.reduce((sum, span) => sum + Number(attribute(span, `encountered.${state}`) ?? 0), 0);

/** Whether the disk is still busy with a page as reclaim comes to it is luck; a few tries are enough. */
async function until(attempt: () => Promise<Witnessed | undefined>): Promise<Witnessed> {
  for (let n = 0; n < 10; n++) {
    const seen = await attempt();
    if (seen) return seen;
  }
  throw new Error('no page was ever dirty and being written');
}

function fileSystemOf(path: string): string {
  return execFileSync('stat', ['-f', '-c', '%T', path], { encoding: 'utf8' });
}
