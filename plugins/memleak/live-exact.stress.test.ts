/**
 * Exact to the byte: every kind of allocation by several threads, freed by others too; a million of
 * them, and what the plugin holds of each call site is what the process itself holds.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Allocator, type Held, LINKAGES, type Linkage } from '../../test/fakes/allocator.js';
import {
  attached,
  bySite,
  type LiveMemleak,
  start,
  targetOf,
  withoutBudget,
} from './live-truth.js';

const THREADS = 4;
const ALLOCATIONS = 1_000_000;
const isEmulated = process.env.MEM_WATCHER_VM !== undefined;
const allocationsOf = (linkage: Linkage): number =>
  // An emulated machine takes ten times as long: there one of the two has to do.
  isEmulated && linkage === 'allocator' ? ALLOCATIONS / 20 : ALLOCATIONS;

describe('outstanding allocations', {
  skip: Allocator.missing() ?? false,
  timeout: 600_000,
}, () => {
  for (const linkage of LINKAGES) {
    const allocations = allocationsOf(linkage);
    test(`${linkage}: ${allocations} by ${THREADS} threads, each site to the byte`, async () => {
      const allocator = await Allocator.start(linkage, 'work', THREADS, allocations / 2);
      try {
        const live = await start(withoutBudget(allocator.pid));
        try {
          await attached(live, allocator.pid);
          for (const round of [1, 2]) {
            const held = await allocator.work();
            await compare(live, allocator, held, (round * allocations) / 2);
          }
        } finally {
          await live.close();
        }
      } finally {
        await allocator.stop();
      }
    });
  }
});

async function compare(
  live: LiveMemleak,
  allocator: Allocator,
  held: readonly Held[],
  made: number,
) {
  // Threads that have just ended are counted when their numbers are looked for once more.
  const snapshot = await live.until(
    (seen) => (targetOf(seen, allocator.pid)?.coverage.recorded ?? 0) >= made && seen,
  );
  const target = targetOf(snapshot, allocator.pid);
  assert.equal(target?.coverage.missedAllocations, 0);
  assert.equal(target?.coverage.missedFrees, 0);
  assert.equal(snapshot.omitted, 0);
  const seen = bySite(snapshot, allocator);
  assert.ok(
    held.every(({ count }) => count > 0),
    'a site holds nothing: it says nothing',
  );
  const table = (rows: Iterable<readonly [string, number, number]>) => [...rows];
  assert.deepEqual(
    table(
      held.map(({ name, address }) => {
        const sum = seen.get(address);
        return [name, sum?.count ?? 0, sum?.bytes ?? 0];
      }),
    ),
    table(held.map(({ name, count, bytes }) => [name, count, bytes])),
  );
}
