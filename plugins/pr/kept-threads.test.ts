import assert from 'node:assert/strict';
import { it } from 'node:test';
import { encodeRecord } from '../../test/fakes/record.js';
import { fakeObject, layoutOf } from './fake.js';
import { KeptThreads } from './kept-threads.js';

const MINUTE = 60_000;

it('drops threads that are gone, once a minute, but not out of an episode', () => {
  let now = 0;
  const object = fakeObject();
  const kept = new KeptThreads(object, { exists: (tid) => tid === 1, clock: () => now });
  const map = object.map('kept');
  const layout = layoutOf('pr_running');
  const put = (tid: number, active: number) =>
    map.update(keyOf(tid), encodeRecord(layout, { at: [{ active }] }));
  put(1, 0);
  put(2, 0);
  put(3, 1);
  const tids = () => [...map.keys()].map((key) => new DataView(key.buffer).getUint32(0, true));
  now = MINUTE - 1;
  kept.sweep();
  assert.deepEqual(tids(), [1, 2, 3]);
  now = MINUTE;
  kept.sweep();
  assert.deepEqual(tids(), [1, 3]);
});

const keyOf = (tid: number): Uint8Array => new Uint8Array(new Uint32Array([tid]).buffer);
