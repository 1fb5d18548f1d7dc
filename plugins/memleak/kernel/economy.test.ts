/** What costs more than the limit is left, and comes back. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { COUNTS, type KernelCounts } from './counts.js';
import { without } from './decision.js';
import { KernelEconomy } from './economy.js';

const NONE = Object.fromEntries(COUNTS.map((name) => [name, 0])) as KernelCounts;
const BOTH = ['slab', 'pages'] as const;

/** A second later each: slab with so many hits a second, pages with as many recorded. */
function run(economy: KernelEconomy, from: number, to: number, slab: number, pages: number) {
  const said: string[] = [];
  for (let time = from; time <= to; time++) {
    const words = economy.weigh(
      time,
      BOTH.filter((group) => !economy.isLeft(group)),
      {
        ...NONE,
        allocations: (slab / 2 + pages) * time,
        frees: (slab / 2) * time,
        recorded: pages * time,
        page_hits: pages * time,
        page_recorded: pages * time,
      },
    );
    if (words !== undefined) said.push(words);
  }
  return said;
}

describe('the limit of what the kernel’s programs cost', () => {
  it('leaves the costliest allocator, says so, and comes back to it', () => {
    const economy = new KernelEconomy(0.2, 'raw-tp');
    const said = run(economy, 0, 30, 5_000_000, 10_000);
    assert.equal(said.length, 1);
    assert.match(
      said[0] ?? '',
      /slab allocator is left for 60 s: its probes took \d+\.\d % of a CPU/,
    );
    assert.deepEqual([economy.isLeft('slab'), economy.isLeft('pages')], [true, false]);
    assert.match(economy.words ?? '', /^the kernel’s slab allocator is not followed for a while/);
    assert.match(run(economy, 31, 90, 1000, 10_000).join(), /slab allocator is followed again/);
    assert.equal(economy.words, undefined);
  });

  it('knows what recording costs: few pages cost more than many objects of nobody', () => {
    const economy = new KernelEconomy(0.2, 'raw-tp');
    run(economy, 0, 10, 1_000_000, 300_000);
    assert.deepEqual([economy.isLeft('slab'), economy.isLeft('pages')], [false, true]);
  });

  it('lets a load be that is below it, and a burst of one second', () => {
    const economy = new KernelEconomy(0.2, 'raw-tp');
    assert.deepEqual(run(economy, 0, 600, 500_000, 10_000), []);
    const burst = new KernelEconomy(0.2, 'raw-tp');
    burst.weigh(0, ['slab'], NONE);
    burst.weigh(1, ['slab'], { ...NONE, allocations: 3_000_000 });
    burst.weigh(2, ['slab'], { ...NONE, allocations: 3_000_000 });
    assert.equal(burst.isLeft('slab'), false);
  });

  it('is none where it is 0', () => {
    const economy = new KernelEconomy(0, 'raw-tp');
    assert.deepEqual(run(economy, 0, 60, 1e9, 1e8), []);
  });

  it('counts nothing of a time in which nothing was attached', () => {
    const economy = new KernelEconomy(0.2, 'raw-tp');
    economy.weigh(0, [], undefined);
    economy.weigh(1, ['slab'], { ...NONE, allocations: 1e9 });
    economy.weigh(2, ['slab'], { ...NONE, allocations: 1e9 });
    assert.equal(economy.isLeft('slab'), false);
  });

  it('leaves the rest as it is', () => {
    const followed = { caches: ['filp'], pages: true, percpu: true };
    assert.deepEqual(
      without(followed, (group) => group === 'slab'),
      { ...followed, caches: [] },
    );
    assert.deepEqual(
      without(followed, (group) => group !== 'slab'),
      { caches: ['filp'], pages: false, percpu: false },
    );
  });
});
