import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createBpfHost } from '../../core/bpf/libbpf.js';
import { permissionShortage } from '../../core/kernel/permission.js';
import { RunningKernel } from '../../core/kernel/running-kernel.js';
import { durationText } from './duration-text.js';
import { BUCKET_OFFSET, histogramOf, upperBound } from './durations.js';
import type { Durations } from './reclaim.js';

const durations = (values: Partial<Durations>): Durations => ({
  count: 0,
  ns: 0,
  maxNs: 0,
  instant: 0,
  buckets: [],
  exemplars: [],
  ...values,
});

describe('the histogram of durations', () => {
  it('has only the buckets between the first and the last that hold something', () => {
    const buckets = [0, 0, 3, 0, 1, 0];
    const point = histogramOf(durations({ count: 4, ns: 5e9, maxNs: 2e9, buckets }));
    assert.deepEqual(point, {
      count: 4,
      sum: 5,
      max: 2,
      zeroCount: 0,
      offset: BUCKET_OFFSET + 2,
      buckets: [3, 0, 1],
    });
  });

  it('counts what it holds, though an episode may be half written', () => {
    const point = histogramOf(durations({ count: 9, instant: 2, buckets: [0, 5] }));
    assert.equal(point.count, 7);
    assert.equal(point.zeroCount, 2);
  });

  it('is empty before the first episode', () => {
    const point = histogramOf(durations({}));
    assert.deepEqual([point.count, point.buckets, point.max], [0, [], undefined]);
  });
});

const shortage = permissionShortage(new RunningKernel())?.message;

describe('a bucket that the kernel chooses', shortage ? { skip: shortage } : {}, () => {
  const file = fileURLToPath(new URL('../../bpf/buckets.bpf.o', import.meta.url));

  it('is the one that OpenTelemetry names, also at its bounds', (t) => {
    const object = createBpfHost().open(file);
    t.after(() => object.close());
    object.load();
    const bucketOf = (ns: number) => {
      const context = new Uint8Array(new BigUint64Array([BigInt(ns)]).buffer);
      return object.run('bucket', { context }).retval;
    };
    for (const ns of samples()) {
      // The smallest power of two of seconds that is not exceeded; doubles are exact to 2^53 ns.
      let exponent = BUCKET_OFFSET + 1;
      while (ns > 2 ** exponent * 1e9) exponent++;
      const bucket = bucketOf(ns);
      assert.equal(upperBound(bucket), 2 ** exponent, `${ns} ns are in bucket ${bucket}`);
    }
    assert.equal(bucketOf(2 ** 52), 47, 'what is longer than 2^17 s is in the last');
  });
});

/** About every power of two of a second, where it is a whole number of ns and where it is not. */
function* samples(): Generator<number> {
  for (let ns = 1; ns <= 200; ns++) yield ns;
  for (let exponent = -24; exponent <= 16; exponent++) {
    const bound = Math.floor(2 ** exponent * 1e9);
    for (let off = -2; off <= 2; off++) yield bound + off;
    yield Math.floor(bound * 1.37);
  }
}

it('durations as people read them', () => {
  const texts = [0, 950, 1000, 38_400, 3_420_138, 99_999_999, 1_234_000_000].map(durationText);
  assert.deepEqual(texts, ['0', '950 ns', '1.0 µs', '38 µs', '3.4 ms', '100 ms', '1.2 s']);
});
