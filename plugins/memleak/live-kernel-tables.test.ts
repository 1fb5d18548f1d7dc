/** The programs on events that a test makes up: blocks that are split, tables that are full. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { explain } from '../../core/kernel/loader.js';
import { FRAMES } from './kernel/slots.js';
import { hashOfFrames } from './kernel/stack-hash.js';
import type { Survey } from './kernel/survey.js';
import { context, kernel, LiveKernel, profile } from './live-kernel-truth.js';
import { offsetOf } from './walk/elements.js';

/** Of a struct page; with any other size blocks cannot be found by the address of their pages. */
const PAGE_STRUCT = 64n;
const BASE = 0xffff_ea00_4000_0000n;
const page = (number: number) => BASE + BigInt(number) * PAGE_STRUCT;
const UNMOVABLE = 0;
const MOVABLE = 1;

const NOTHING: Survey = {
  caches: [],
  sites: [],
  memory: undefined,
  lacks: [],
  unreadable: [],
};
const works = explain(kernel, profile).verdicts.some(({ outcome }) => outcome !== 'rejected');
const skip = works ? false : 'no strategy of memleak-kernel works here';

describe('the tables of the kernel’s allocations', { skip, timeout: 300_000 }, () => {
  const started = (config: Record<string, unknown> = {}) =>
    new LiveKernel(config, { survey: () => NOTHING });
  /** Nothing is attached, so nothing else is seen. */
  const totals = (live: LiveKernel) => {
    const { readings: all, counts, coverage } = live.watch.read({ ages: true });
    // A stack that has become empty is told of once more.
    const readings = all.filter(({ bytes }) => bytes > 0);
    const of = (name: 'bytes' | 'allocations') =>
      readings.reduce((total, reading) => total + reading[name], 0);
    return { bytes: of('bytes'), allocations: of('allocations'), counts, coverage, readings };
  };
  const run = (live: LiveKernel, program: string, ...values: (number | bigint)[]) =>
    live.watch.loaded?.object.run(program, { context: context(...values) });
  const allocate = (live: LiveKernel, first: number, order: number, type = UNMOVABLE) =>
    run(live, 'raw_page_alloc', page(first), order, 0, type);
  const free = (live: LiveKernel, first: number, order: number) =>
    run(live, 'raw_page_free', page(first), order);
  const using = async (config: Record<string, unknown>, test: (live: LiveKernel) => void) => {
    const live = started(config);
    try {
      test(live);
    } finally {
      await live.close();
    }
  };

  it('keep a block until it is freed, and no movable page', () =>
    using({}, (live) => {
      allocate(live, 8, 3);
      allocate(live, 64, 0, MOVABLE);
      run(live, 'raw_page_alloc', 0, 0, 0, UNMOVABLE);
      const { bytes, allocations, readings } = totals(live);
      assert.deepEqual([bytes, allocations], [8 * 4096, 1]);
      assert.equal(readings[0]?.origin, 'page order 3');
      free(live, 8, 3);
      assert.deepEqual(totals(live).readings, []);
    }));

  it('keep the rest of a block that is freed in parts, whichever come first', () =>
    using({}, (live) => {
      for (const order of [
        [5, 6, 7, 4, 3, 2, 1, 0],
        [0, 1, 2, 3, 4, 5, 6, 7],
        [3, 0, 7, 4, 1, 6, 2, 5],
      ]) {
        allocate(live, 16, 3);
        let left = 8;
        for (const part of order) {
          assert.equal(totals(live).bytes, left * 4096, `${order}: before ${part}`);
          assert.equal(Math.max(1, totals(live).allocations), 1);
          free(live, 16 + part, 0);
          left--;
        }
        const after = totals(live);
        assert.deepEqual([after.bytes, after.allocations], [0, 0]);
        assert.equal(after.counts.split_frees, 0);
      }
    }));

  it('notice that an address was freed unseen when it is given out again', () =>
    using({}, (live) => {
      allocate(live, 0, 0);
      allocate(live, 0, 0);
      const { allocations, counts } = totals(live);
      assert.equal(allocations, 1);
      assert.equal(counts.unseen_frees, 1);
    }));

  it('let a second program see what the first was left out of, and nothing twice', () =>
    using({}, (live) => {
      allocate(live, 0, 0);
      allocate(live, 1, 0);
      run(live, 'raw_page_free', page(1), 0);
      run(live, 'raw_page_free_again', page(0), 0);
      run(live, 'raw_page_free_again', page(1), 0);
      const { allocations, readings } = totals(live);
      assert.equal(allocations, 0);
      assert.deepEqual(readings, []);
    }));

  it('count what finds them full', () =>
    using({ max_live: 1024 }, (live) => {
      // What a hash table may hold beyond its size waits on other CPUs.
      for (let number = 0; number < 2048; number++) allocate(live, number * 2, 0);
      const { allocations, counts, coverage } = totals(live);
      assert.ok(allocations <= 1024 && allocations > 900, `${allocations}`);
      assert.equal(counts.live_full, 2048 - allocations);
      assert.equal(coverage.missedAllocations, counts.live_full);
    }));

  it('give the slot of a stack that holds nothing to another, under another key', () =>
    using({ max_stacks: 64 }, (live) => {
      const seen = new Set<string>();
      for (let round = 0; round < 400; round++) {
        allocate(live, round * 1024, round % 11);
        for (const { key } of totals(live).readings) seen.add(key);
        free(live, round * 1024, round % 11);
        live.watch.refresh(round);
      }
      const { counts, readings } = totals(live);
      assert.equal(counts.stacks_full, 0);
      assert.deepEqual(readings, []);
      assert.ok(seen.size >= 11, `${seen.size} stacks`);
    }));

  /** As where another CPU was first: the key of a stack cannot be inserted. */
  const fillKeys = (live: LiveKernel) => {
    const keys = live.watch.loaded?.object.map('slots');
    assert.ok(keys);
    const added: Uint8Array[] = [];
    for (let n = 0; n < 2 * keys.spec.maxEntries; n++) {
      const key = new Uint8Array(new BigUint64Array([BigInt(n), ~0n & 0xffff_ffffn]).buffer);
      try {
        keys.update(key, new Uint8Array(4));
      } catch {
        return () => {
          for (const each of added) keys.delete(each);
        };
      }
      added.push(key);
    }
    throw new Error('the table never fills');
  };

  it('do not take a slot as used whose stack could not be inserted', () =>
    using({ max_stacks: 64 }, (live) => {
      const empty = fillKeys(live);
      for (let order = 0; order < 11; order++) allocate(live, order * 1024, order);
      const refused = totals(live).counts.stacks_full;
      assert.equal(refused, 11);
      assert.equal(seenSlots(live), 0);
      // At few free slots those that hold nothing are given back: one that was never used, twice.
      live.watch.refresh(1);
      empty();
      for (let order = 0; order < 11; order++) allocate(live, (order + 20) * 1024, order);
      const { readings } = totals(live);
      const origins = readings.map(({ origin }) => origin);
      assert.equal(new Set(origins).size, 11, origins.join());
      assert.equal(seenSlots(live), 11);
    }));

  it('report a stack only when all its frames are there, and not those of another under its key', () =>
    using({}, (live) => {
      allocate(live, 0, 0);
      const stacks = stacksOf(live);
      const whole = stacks.frame(3);
      stacks.setFrame(3, whole ^ 1n);
      assert.deepEqual(totals(live).readings, []);
      stacks.setFrame(3, whole);
      const [before] = totals(live).readings;
      assert.ok(before?.frames.length);
      stacks.setFrame(3, whole ^ 1n);
      stacks.setHash(hashOfFrames(stacks.frames()));
      const [after] = totals(live).readings;
      assert.notDeepEqual(after?.frames, before.frames);
    }));
});

/** The first slot that is used, as the programs write it. */
function stacksOf(live: LiveKernel) {
  const { memory, at } = mappedStacks(live);
  const slot = firstSeen(live).findIndex((time) => time > 0n);
  assert.ok(slot >= 0, 'no slot is used');
  const place = (member: string, n = 0) => slot * memory.stride + at(member) + 8 * n;
  const view = new DataView(memory.bytes.buffer, memory.bytes.byteOffset);
  const frame = (n: number) => view.getBigUint64(place('frames', n), true);
  return {
    frame,
    frames: () => Array.from({ length: FRAMES }, (_, n) => frame(n)),
    setFrame: (n: number, value: bigint) => view.setBigUint64(place('frames', n), value, true),
    setHash: (value: bigint) => view.setBigUint64(place('hash'), value, true),
  };
}

const seenSlots = (live: LiveKernel) => firstSeen(live).filter((time) => time > 0n).length;

function firstSeen(live: LiveKernel): bigint[] {
  const { memory, at } = mappedStacks(live);
  const view = new DataView(memory.bytes.buffer, memory.bytes.byteOffset);
  return Array.from({ length: memory.entries }, (_, slot) =>
    view.getBigUint64(slot * memory.stride + at('first_seen'), true),
  );
}

function mappedStacks(live: LiveKernel) {
  const object = live.watch.loaded?.object;
  assert.ok(object);
  const layout = object.layout('kernel_stack');
  return {
    memory: object.map('stacks').mapped(),
    at: (member: string) => offsetOf(layout, member),
  };
}
