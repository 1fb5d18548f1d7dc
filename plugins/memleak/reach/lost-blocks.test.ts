import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HeldBlocks } from '../user/held-blocks.js';
import { LostBlocks } from './lost-blocks.js';

const KEY = 'of slot 7';

/** Blocks of 16 bytes at those addresses, each allocated at the time of its mark. */
const held = (addresses: readonly number[], marks: readonly number[] = addresses): HeldBlocks => ({
  starts: Float64Array.from(addresses),
  sizes: Float64Array.from(addresses, () => 16),
  weights: Float64Array.from(addresses, () => 1),
  slots: Uint32Array.from(addresses, () => 7),
  marks: Float64Array.from(marks),
});
const all = (count: number, reached: number) => new Uint8Array(count).fill(reached);
const range = (count: number) => Array.from({ length: count }, (_, n) => 1000 + 16 * n);

class Scans {
  readonly blocks = new LostBlocks();

  take(blocks: HeldBlocks, reached: Uint8Array, time: number, isExact = false): void {
    const keyOf = (slot: number) => `of slot ${slot}`;
    for (const _ of this.blocks.take(blocks, reached, time, keyOf, isExact));
  }

  get reach() {
    return this.blocks.of(KEY);
  }
}

describe('lost blocks', () => {
  test('are those that are unreachable in two scans', () => {
    const scans = new Scans();
    scans.take(held(range(10)), all(10, 0), 1);
    assert.deepEqual([scans.reach], [undefined]);
    scans.take(held(range(12)), all(12, 0), 4);
    const { lost, lostBytes, reached } = scans.reach ?? {};
    assert.deepEqual([lost, lostBytes, reached], [10, 160, 0]);
  });

  test('are not told by two scans that follow upon each other', () => {
    const scans = new Scans();
    for (const time of [1, 1.5, 2.5]) scans.take(held(range(10)), all(10, 0), time);
    assert.equal(scans.reach?.lost, 0);
    scans.take(held(range(10)), all(10, 0), 3);
    assert.equal(scans.reach?.lost, 10);
  });

  test('are told by one scan of a process that stood still', () => {
    const scans = new Scans();
    scans.take(held(range(10)), all(10, 0), 1, true);
    assert.equal(scans.reach?.lost, 10);
  });

  test('are not those that another block has taken the address of', () => {
    const scans = new Scans();
    const addresses = range(10);
    scans.take(held(addresses), all(10, 0), 1);
    scans.take(
      held(
        addresses,
        addresses.map((at) => at + 1),
      ),
      all(10, 0),
      4,
    );
    assert.deepEqual([scans.reach], [undefined]);
  });

  test('that are few of a stack are told after four scans, and not those of three', () => {
    const scans = new Scans();
    const reached = all(100, 1);
    reached[5] = 0;
    const lost: (number | undefined)[] = [];
    for (let n = 0; n < 4; n++) {
      scans.take(held(range(100)), reached, 3 * n);
      lost.push(scans.reach?.lost);
    }
    assert.deepEqual(lost, [0, 0, 0, 1]);
  });

  test('count for the allocations that a sample stands for', () => {
    const scans = new Scans();
    const sampled = { ...held(range(3)), weights: Float64Array.of(10, 20, 30) };
    for (const time of [1, 4]) scans.take(sampled, all(3, 0), time);
    const { lost, lostBytes, lostRecords } = scans.reach ?? {};
    assert.deepEqual([lost, lostBytes, lostRecords], [60, 960, 3]);
  });

  for (const [how, count, reached] of [
    ['freed', 8, 0],
    ['found again', 10, 1],
  ] as const) {
    test(`say nothing of a stack once some of them are ${how}`, () => {
      const scans = new Scans();
      scans.take(held(range(10)), all(10, 0), 1);
      scans.take(held(range(10)), all(10, 0), 4);
      assert.equal(scans.reach?.isHidden, false);
      scans.take(held(range(count)), all(count, reached), 7);
      assert.equal(scans.reach?.isHidden, true);
    });
  }
});
