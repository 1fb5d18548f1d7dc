/** Every way of pr that this kernel can do sees the episodes that the kernel's own tracer sees. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { KernelProfile } from '../../core/kernel/kernel.js';
import { alone } from '../../test/fakes/alone.js';
import { LivePlugin, strategiesOf } from '../../test/fakes/live-plugin.js';
import { MemoryCgroup } from '../../test/fakes/memory-cgroup.js';
import { press, pressureMissing } from '../../test/fakes/pressure.js';
import { pr } from './index.js';
import {
  attribute,
  figuresOf,
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
  sorted,
  type Witnessed,
  witnessed,
} from './live-workloads.js';
import type { ReclaimSnapshot } from './reclaim.js';

const skip = pressureMissing() ?? MemoryCgroup.missing() ?? tracingMissing() ?? false;
const isGuest = process.env.MEM_WATCHER_VM !== undefined && hasSwap();
const noShortage = isGuest ? false : 'takes all memory: only in a guest with swap';
/** More than there is, and less than there is with swap. */
const BEYOND_KB = 60 * 1024;
const strategies = skip === false ? await strategiesOf(pr) : [];

/** What carries spans has one choice, whatever the strategy. */
const SPANS = 'spans';

/** Of each other part only the choice that sees as the strategy does; some have none. */
const alike =
  (strategy: string) =>
  ({ parts = [], ...rest }: KernelProfile): KernelProfile => ({
    ...rest,
    parts: parts.map((part) => ({
      ...part,
      choices: part.choices.filter(({ name }) => part.name === SPANS || name === strategy),
    })),
  });

describe('each strategy of pr against the tracer', { skip, timeout: 900_000 }, () => {
  let release: () => void;
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-pr-'));
  before(async () => {
    release = await alone();
  });
  after(() => {
    release();
    rmSync(dir, { recursive: true });
  });

  for (const { name, lack } of strategies) {
    describe(name, { skip: lack ?? false }, () => {
      let live: LivePr;
      before(async () => {
        live = await LivePlugin.start<ReclaimSnapshot>(pr, {
          ...EVERY_EPISODE,
          strategy: name,
          profile: alike(name),
        });
      });
      after(() => live?.close());

      it('is what sees, and nothing else', () => {
        assert.equal(live.loaded.strategy, name);
        const others = [...live.loaded.parts].filter(([part]) => part !== SPANS);
        assert.deepEqual(new Set(others.map(([, choice]) => choice)), new Set([name]));
        assert.equal(live.loaded.parts.get('memcg'), name);
      });

      it('has order, flags and freed pages of each run at a limit', async () => {
        const seen = await witnessed(live, fail);
        assert.ok(seen.own.length > 10, `only ${seen.own.length} episodes`);
        compare(seen);
        const kinds = new Set(seen.own.map(({ flags }) => flags));
        assert.ok(kinds.size > 1, `all were ${[...kinds]}`);
      });

      it('has what each run took back', { skip: noReclaim }, async () => {
        const seen = await witnessed(live, () => reclaim(dir));
        compare(seen);
        comparePages(seen);
        assert.ok(seen.spans.some((span) => Number(attribute(span, 'reclaimed')) > 0));
      });

      it('has the runs of a host that is short of memory', { skip: noShortage }, async (t) => {
        const pages = Math.floor((available() + BEYOND_KB) / 4);
        const seen = await witnessed(live, () => press([`anon=${pages}`]));
        t.diagnostic(`${seen.own.length} of this process, ${seen.all.length} of all`);
        compare(seen);
        comparePages(seen);
      });
    });
  }
});

/** The same runs in the same order, and no more in the sum of all. */
function compare({ before, last, spans, own, all }: Witnessed): void {
  assert.deepEqual(
    spans.map((span) => ({
      type: attribute(span, 'type'),
      order: attribute(span, 'order'),
      flags: sorted(attribute(span, 'gfp_flags')),
      freed: attribute(span, 'freed'),
    })),
    own.map(({ type, order, flags, freed }) => ({ type, order, flags: sorted(flags), freed })),
  );
  for (const type of ['direct', 'memcg'] as const) {
    const [was, is] = [figuresOf(before, type).figures, figuresOf(last, type).figures];
    const traced = all.filter((episode) => episode.type === type).length;
    const inside = is.episodes - was.episodes;
    // Somebody else's may begin before the tracer does, or end after it.
    assert.ok(inside >= traced && inside <= traced + OTHERS, `${inside} ${type} of ${traced}`);
  }
}

/** Threads that may be in a run of their own as the tracer comes or goes. */
const OTHERS = 4;

function comparePages({ spans, own }: Witnessed): void {
  for (const [n, span] of spans.entries()) {
    const { lists } = own[n] ?? assert.fail();
    assert.equal(attribute(span, 'reclaimed'), sumOf(lists, 'nr_reclaimed'));
    if (isMultiGen() || lists.length === 0) continue;
    assert.equal(attribute(span, 'scanned'), sumOf(lists, 'nr_scanned'));
  }
}

/** kB. */
const available = (): number =>
  Number(/^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]);
