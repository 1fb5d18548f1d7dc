/** Many elements of a hash at a time, on the running kernel and where it refuses that. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { loaded } from '../../test/fakes/kit.js';
import { libbpfApi } from './libbpf-api.js';
import { type BatchTarget, batchesOf, deleteMany, updateMany } from './libbpf-batch.js';
import { LibbpfMap } from './libbpf-map.js';

const EINVAL = -22;
const MAX = 100;
const KEY = 8;
const VALUE = 40;

const api = libbpfApi();
const refused = () => EINVAL;
const WAYS = {
  'by batches': api,
  'one by one, where the kernel refuses batches': {
    ...api,
    lookupBatch: refused,
    updateBatch: refused,
    deleteBatch: refused,
  },
};

function table(context: TestContext): BatchTarget {
  const map = loaded(context, 'compute').map('table');
  assert.ok(map instanceof LibbpfMap);
  const { name, keySize, valueSize, maxEntries } = map.spec;
  assert.deepEqual([keySize, valueSize, maxEntries], [KEY, VALUE, MAX]);
  return { fd: map.fd, name, keySize, valueSize, maxEntries };
}

const keysOf = (from: number, count: number): Uint8Array =>
  new Uint8Array(BigUint64Array.from({ length: count }, (_, n) => BigInt(from + n)).buffer);

/** Of each element the first word is its key. */
function valuesOf(from: number, count: number): Uint8Array {
  const words = new BigUint64Array((count * VALUE) / 8);
  for (let n = 0; n < count; n++) words[(n * VALUE) / 8] = BigInt(from + n);
  return new Uint8Array(words.buffer);
}

for (const [way, by] of Object.entries(WAYS)) {
  describe(`elements of a hash, ${way}`, () => {
    const read = (map: BatchTarget, size: number, onBatch = (_: number) => {}): number[] => {
      const keys: number[] = [];
      for (const { count, keys: bytes, values } of batchesOf(by, map, size)) {
        assert.ok(count > 0 && count <= size, `${count} at once`);
        const view = new DataView(bytes.buffer);
        for (let n = 0; n < count; n++) {
          const key = view.getBigUint64(n * KEY, true);
          assert.equal(new DataView(values.buffer).getBigUint64(n * VALUE, true), key);
          keys.push(Number(key));
        }
        onBatch(count);
      }
      return keys.sort((a, b) => a - b);
    };
    const all = (from: number, count: number) => Array.from({ length: count }, (_, n) => from + n);

    it('come once each, so many at a time', (t) => {
      const map = table(t);
      assert.deepEqual(read(map, 7), []);
      assert.equal(updateMany(by, map, keysOf(0, 90), valuesOf(0, 90)), 90);
      for (const size of [16, 90, 1000]) assert.deepEqual(read(map, size), all(0, 90));
    });

    it('come once each while others are deleted and added', (t) => {
      const map = table(t);
      updateMany(by, map, keysOf(0, 90), valuesOf(0, 90));
      let round = 0;
      const seen = read(map, 16, () => {
        deleteMany(by, map, keysOf(80, 10));
        updateMany(by, map, keysOf(80, 10), valuesOf(80, 10));
        round++;
      });
      assert.ok(round > 1);
      assert.deepEqual(
        seen.filter((key) => key < 80),
        all(0, 80),
      );
    });

    it('are deleted, and those that were not there are told', (t) => {
      const map = table(t);
      updateMany(by, map, keysOf(0, 10), valuesOf(0, 10));
      const keys = new Uint8Array(new BigUint64Array([50n, 3n, 4n, 51n, 52n, 9n, 3n]).buffer);
      assert.deepEqual([...deleteMany(by, map, keys)], [0, 1, 1, 0, 0, 1, 0]);
      assert.deepEqual(read(map, 16), [0, 1, 2, 5, 6, 7, 8]);
      assert.deepEqual([...deleteMany(by, map, new Uint8Array(0))], []);
    });

    it('are written until the hash is full', (t) => {
      const map = table(t);
      const written = updateMany(by, map, keysOf(0, 2 * MAX), valuesOf(0, 2 * MAX));
      assert.ok(written >= MAX && written < 2 * MAX, `${written}`);
      assert.deepEqual(read(map, MAX), all(0, written));
      assert.equal(updateMany(by, map, keysOf(0, MAX), valuesOf(0, MAX)), MAX);
    });
  });
}

it('elements are written one by one where the kernel has no memory for a batch', (t) => {
  const map = table(t);
  const poor = { ...api, updateBatch: () => -12 };
  assert.equal(updateMany(poor, map, keysOf(0, 90), valuesOf(0, 90)), 90);
  const counts = [...batchesOf(api, map, MAX)].map(({ count }) => count);
  assert.deepEqual(counts, [90]);
});
