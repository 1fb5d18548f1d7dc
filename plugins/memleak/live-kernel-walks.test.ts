/** The pass over the kernel's live allocations comes to the same by each walk, whatever their number. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { BpfObject } from '../../core/bpf/host.js';
import { explain } from '../../core/kernel/loader.js';
import type { Survey } from './kernel/survey.js';
import { context, kernel, LiveKernel, profile, walksHere } from './live-kernel-truth.js';
import { offsetOf } from './walk/elements.js';
import { LIMIT, type WalkName } from './walk/walk.js';

const NOTHING: Survey = {
  caches: [],
  sites: [],
  memory: undefined,
  lacks: [],
  unreadable: [],
};
const FEW = 100;
/** More than one run of a program visits. */
const MANY = LIMIT + 1000;
const PAGE_STRUCT = 64n;
const BASE = 0xffff_ea00_4000_0000n;

const works = explain(kernel, profile).verdicts.some(({ outcome }) => outcome !== 'rejected');
const skip = works ? false : 'no strategy of memleak-kernel works here';

const walks = skip === false ? walksHere() : new Map<WalkName, string>();
for (const [walk, why] of walks) {
  it(`kernel allocations by ${walk}`, { skip: why ?? false, timeout: 300_000 }, (t) => {
    const live = new LiveKernel({}, { survey: () => NOTHING, walk });
    t.after(() => live.close());
    const object = live.watch.loaded?.object ?? assert.fail();
    // Nothing is attached, so nothing else is seen.
    for (const [from, to] of [
      [0, FEW],
      [FEW, MANY],
    ] as const) {
      allocate(object, from, to);
      checkAges(live, to);
    }
    retireAll(object);
    live.watch.read({ ages: true });
    assert.deepEqual([...object.map('live').keys()], []);
    const { bytes: cells } = object.map('present').mapped();
    assert.ok(cells.every((byte) => byte === 0));
    for (const [allocated, freed] of sums(object)) assert.equal(allocated, freed);
    assert.equal(sum(sums(object).map(([allocated]) => Number(allocated))), MANY);
  });
}

it('keeps an object whose address was that of a retired one', { skip }, (t) => {
  const live = new LiveKernel({}, { survey: () => NOTHING, walk: 'lookups' });
  t.after(() => live.close());
  const object = live.watch.loaded?.object ?? assert.fail();
  const page = context(BASE, 0, 0, 0);
  const reused = context(BASE, 1, 0, 0);
  object.run('raw_page_alloc', { context: page });
  retireAll(object);
  // The address is freed and used again after the batch was read, before its elements are removed.
  const table = object.map('live');
  const batches = table.batches.bind(table);
  const { mock } = t.mock.method(table, 'batches', function* race(size: number) {
    for (const batch of batches(size)) {
      object.run('raw_page_free', { context: page });
      object.run('raw_page_alloc', { context: reused });
      yield batch;
    }
  });
  live.watch.read({ ages: true });
  mock.restore();
  assert.equal([...table.keys()].length, 1);
  const outstanding = () =>
    sum(sums(object).map(([allocated, freed]) => Number(allocated - freed)));
  assert.equal(outstanding(), 1);
  object.run('raw_page_free', { context: reused });
  assert.deepEqual([...table.keys()], []);
  assert.equal(outstanding(), 0);
  assert.ok(
    object
      .map('present')
      .mapped()
      .bytes.every((byte) => byte === 0),
  );
});

it('has a way to walk', { skip }, () => {
  assert.ok([...walks.values()].includes(undefined));
});

/** Pages of order 0 that are not movable, by number. */
function allocate(object: BpfObject, from: number, to: number): void {
  for (let n = from; n < to; n++) {
    const page = BASE + BigInt(n) * PAGE_STRUCT;
    object.run('raw_page_alloc', { context: context(page, 0, 0, 0) });
  }
}

function checkAges(live: LiveKernel, count: number): void {
  const { time, readings } = live.watch.read({ ages: true });
  const [{ allocations = 0, bytes = 0, ages, firstSeen = 0 } = {}] = readings;
  assert.equal(allocations, count);
  assert.equal(sum(ages?.allocations), count);
  assert.equal(sum(ages?.bytes), bytes);
  // Of the first allocation, within a microsecond.
  assert.ok(Math.abs(time - firstSeen - (ages?.oldest ?? 0) * 1e9) < 1000);
}

/** As `Slots.retire`, of the stacks that are some origin's. */
function retireAll(object: BpfObject): void {
  const { bytes, stride } = object.map('stacks').mapped();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const layout = object.layout('kernel_stack');
  for (let at = 0; at < bytes.length; at += stride) {
    if (view.getBigUint64(at + offsetOf(layout, 'first_seen'), true) === 0n) continue;
    view.setUint16(at + offsetOf(layout, 'retired'), 1, true);
  }
}

/** Of each stack: allocations and frees. */
function sums(object: BpfObject): [bigint, bigint][] {
  const { bytes, stride } = object.map('stacks').mapped();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const layout = object.layout('kernel_stack');
  return Array.from({ length: bytes.length / stride }, (_, slot) => [
    view.getBigUint64(slot * stride + offsetOf(layout, 'allocated_count'), true),
    view.getBigUint64(slot * stride + offsetOf(layout, 'freed_count'), true),
  ]);
}

const sum = (values: readonly number[] = []) => values.reduce((total, value) => total + value, 0);
