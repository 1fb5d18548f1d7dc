/** Removal of one element of a hash whose key a program may reuse meanwhile, on the running kernel. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { loaded } from '../../test/fakes/kit.js';
import { type LibbpfApi, libbpfApi } from './libbpf-api.js';
import type { BatchTarget } from './libbpf-batch.js';
import { LibbpfMap } from './libbpf-map.js';
import { takeIf } from './libbpf-take.js';

const ENOTSUPP = -524;

const api = libbpfApi();
const WAYS: Readonly<Record<string, LibbpfApi>> = {
  'in one step': api,
  'where the kernel cannot look up and delete in one step': {
    ...api,
    lookupAndDelete: () => ENOTSUPP,
  },
};
const key = new Uint8Array(new BigUint64Array([7n]).buffer);

function table(context: TestContext): { readonly map: LibbpfMap; readonly target: BatchTarget } {
  const map = loaded(context, 'compute').map('table');
  assert.ok(map instanceof LibbpfMap);
  const { name, keySize, valueSize, maxEntries } = map.spec;
  return { map, target: { fd: map.fd, name, keySize, valueSize, maxEntries } };
}

const valueWith = ({ spec: { valueSize } }: LibbpfMap, first: number): Uint8Array => {
  const value = new Uint8Array(valueSize);
  value[0] = first;
  return value;
};
const isOne = ([first]: Uint8Array) => first === 1;

for (const [way, by] of Object.entries(WAYS)) {
  describe(`an element of a hash is taken, ${way}`, () => {
    it('if its value is the one that is meant', (t) => {
      const { map, target } = table(t);
      assert.equal(takeIf(by, target, key, isOne), undefined);
      map.update(key, valueWith(map, 2));
      assert.equal(takeIf(by, target, key, isOne), undefined);
      assert.deepEqual(map.lookup(key), valueWith(map, 2));
      map.update(key, valueWith(map, 1));
      assert.deepEqual(takeIf(by, target, key, isOne), valueWith(map, 1));
      assert.equal(map.lookup(key), undefined);
    });
  });
}

/** BPF_MAP_LOOKUP_AND_DELETE_ELEM of a hash came with 5.14. */
function lackOf(map: LibbpfMap): string | undefined {
  map.update(key, valueWith(map, 1));
  const error = api.lookupAndDelete(map.fd, key, valueWith(map, 0));
  return error < 0 ? 'this kernel cannot look up and delete in one step' : undefined;
}

describe('an element that is replaced between look-up and removal', () => {
  /** `before` and `after` the kernel removes the element. */
  const racing = (before: () => void, after: () => void): LibbpfApi => ({
    ...api,
    lookupAndDelete: (...args) => {
      before();
      const error = api.lookupAndDelete(...args);
      after();
      return error;
    },
  });

  it('is put back', (t) => {
    const { map, target } = table(t);
    const lack = lackOf(map);
    if (lack !== undefined) return t.skip(lack);
    map.update(key, valueWith(map, 1));
    const by = racing(
      () => map.update(key, valueWith(map, 2)),
      () => undefined,
    );
    assert.equal(takeIf(by, target, key, isOne), undefined);
    assert.deepEqual(map.lookup(key), valueWith(map, 2));
  });

  it('is returned if a third one has its key by then', (t) => {
    const { map, target } = table(t);
    const lack = lackOf(map);
    if (lack !== undefined) return t.skip(lack);
    map.update(key, valueWith(map, 1));
    const by = racing(
      () => map.update(key, valueWith(map, 2)),
      () => map.update(key, valueWith(map, 3)),
    );
    assert.deepEqual(takeIf(by, target, key, isOne), valueWith(map, 2));
    assert.deepEqual(map.lookup(key), valueWith(map, 3));
  });
});
