/** With sampling: estimates are unbiased, and their errors are what is said of them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { heldOf, missing, readingsOf, strategies, watched } from './live-watched.js';

const REPEATS = 150;
const INTERVAL = 16_384;
const ALLOCATIONS = 1000;
/** Of powers of two up to 2^13, as many of each. */
const SIZES = Array.from({ length: 14 }, (_, n) => 2 ** n);
/**
 * Of the mean of all repeats, relative: an allocation that is drawn with the probability p counts
 * 1/p, whose variance is (1-p)/p; of a few bytes p is small, and few of them say much.
 */
const COUNT_ERROR =
  Math.sqrt(SIZES.reduce((sum, size) => sum + 1 / Math.expm1(size / INTERVAL), 0) / SIZES.length) /
  Math.sqrt(ALLOCATIONS * REPEATS);

for (const strategy of strategies) {
  describe(`sampling by ${strategy}`, { timeout: 600_000 }, () => {
    it('estimates what is outstanding, with its error', async (t) => {
      const { watch, program } = await watched(t, strategy);
      watch.setSampling(INTERVAL);
      const errors: number[] = [];
      const counts: number[] = [];
      for (let repeat = 0; repeat < REPEATS; repeat++) {
        await program.ask(`leak ${ALLOCATIONS} 0`);
        const { leak } = await program.held();
        const [told] = readingsOf(watch, program.pid).filter(
          ({ frames }) => program.siteOf(frames[0] ?? 0n) === 'leak',
        );
        assert.ok(leak && told && told.bytesError > 0);
        errors.push((told.bytes - leak.bytes) / told.bytesError);
        counts.push(told.allocations / leak.count);
        await program.ask('free');
        assert.deepEqual(heldOf({ watch, program }), {});
      }
      // Of the mean of so many errors of one unit each, five standard errors.
      assert.ok(Math.abs(mean(errors)) < 5 / Math.sqrt(REPEATS) + 0.05, `off by ${mean(errors)}`);
      const within = (limit: number) =>
        errors.filter((error) => Math.abs(error) < limit).length / REPEATS;
      assert.ok(within(1) > 0.5 && within(1) < 0.85, `${within(1)} within one`);
      assert.ok(within(2) > 0.87, `${within(2)} within two`);
      assert.ok(Math.abs(mean(counts) - 1) < 5 * COUNT_ERROR, `counts ${mean(counts)}`);
      const { coverage } = watch.read({ ages: false });
      assert.equal(coverage.get(program.pid)?.samplingInterval, INTERVAL);
    });

    it('keeps what was recorded before, and after it all again', async (t) => {
      const seen = await watched(t, strategy);
      const { watch, program } = seen;
      await program.ask('leak 1000 0');
      watch.setSampling(2 ** 30);
      const before = await program.held();
      await program.ask('cycle 100 16');
      assert.deepEqual(heldOf(seen), before);
      await program.ask('free');
      assert.deepEqual(heldOf(seen), {});
      watch.setSampling(0);
      await program.ask('churn 2 2000');
      await program.ask('leak 1000 0');
      assert.deepEqual(heldOf(seen), await program.held());
    });
  });
}

it('has something to sample with', { skip: missing ?? false }, () => {
  assert.ok(strategies.length > 0);
});

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
