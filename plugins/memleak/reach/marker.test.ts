/** Marking in memory that is made up, and held against a search that is slow and plain. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Blocks } from './blocks.js';
import { Marker, type Span } from './marker.js';

const BASE = 0x5500_0000_0000;

/** Memory from BASE on, and blocks in it. */
class World {
  readonly words: BigUint64Array;

  constructor(readonly size: number) {
    this.words = new BigUint64Array(size / 8);
  }

  point(from: number, to: number): void {
    this.words[(from - BASE) / 8] = BigInt(to);
  }

  read(address: number, into: Uint8Array, length: number): void {
    const bytes = new Uint8Array(this.words.buffer);
    into.set(bytes.subarray(address - BASE, address - BASE + length));
  }

  reached(starts: readonly number[], sizes: readonly number[], spans?: readonly Span[]): number[] {
    const blocks = new Blocks(Float64Array.from(starts), Float64Array.from(sizes));
    const marker = new Marker(blocks, this);
    for (const span of spans ?? [{ start: BASE, end: BASE + this.size }]) marker.roots(span);
    marker.follow();
    return [...marker.reached];
  }
}

describe('marking', () => {
  test('a block that lies across two pieces of what is read is no root of itself', () => {
    const world = new World(1 << 20);
    const start = BASE + (1 << 18) - 32;
    world.point(start + 40, start);
    assert.deepEqual(world.reached([start], [64]), [0]);
    world.point(BASE, start + 3);
    assert.deepEqual(world.reached([start], [64]), [1]);
  });

  test('a block that is larger than a piece is followed to its end', () => {
    const world = new World(1 << 21);
    const [large, small] = [BASE + 64, BASE + (1 << 20)];
    world.point(BASE, large);
    world.point(large + 900_000, small);
    assert.deepEqual(world.reached([large, small], [900_008, 16]), [1, 1]);
  });

  test('a list whose head moves on while it is read is whole in one of several looks', () => {
    const world = new World(1 << 20);
    const blocks = Array.from({ length: 20 }, (_, n) => BASE + (1 << 19) + 64 * n);
    const head = BASE + 4096 + 8;
    blocks.forEach((block, n) => {
      world.point(block + 16, blocks[n + 1] ?? 0);
    });
    let popped = 0;
    /** As its page is read, the head is taken off, until it is read for the third time. */
    const memory = {
      read(address: number, into: Uint8Array, length: number): void {
        world.point(head, blocks[popped] ?? 0);
        world.read(address, into, length);
        if (address > head || head >= address + length || popped === 2) return;
        world.point((blocks[popped] ?? 0) + 16, 0);
        popped++;
      },
    };
    const sizes = blocks.map(() => 64);
    const marker = new Marker(
      new Blocks(Float64Array.from(blocks), Float64Array.from(sizes)),
      memory,
    );
    marker.roots({ start: BASE, end: BASE + world.size });
    marker.follow();
    const reached = () => marker.reached.reduce((sum, one) => sum + one, 0);
    assert.equal(reached(), 1, 'the first look finds what was the head');
    for (let pass = 0; pass < 2; pass++) marker.again();
    assert.equal(reached(), blocks.length);
    assert.equal(marker.hasUnreached, false);
  });

  test('what is lost is lost in every look', () => {
    const world = new World(1 << 16);
    const [held, lost, also] = [BASE + 4096, BASE + 8192, BASE + 8192 + 64];
    world.point(BASE + 8, held);
    world.point(lost, also);
    world.point(also, lost);
    const starts = Float64Array.from([held, lost, also]);
    const marker = new Marker(new Blocks(starts, Float64Array.from([64, 64, 64])), world);
    marker.roots({ start: BASE, end: BASE + world.size });
    marker.follow();
    for (let pass = 0; pass < 5; pass++) marker.again();
    assert.deepEqual([...marker.reached], [1, 0, 0]);
    assert.equal(marker.hasUnreached, true);
  });

  test('a pool is reached by its blocks, and by nothing else in it', () => {
    const world = new World(1 << 16);
    const [pool, inner, other] = [BASE + 4096, BASE + 4096 + 64, BASE + 4096 + 128];
    world.point(inner, other);
    assert.deepEqual(world.reached([pool, inner, other], [1024, 32, 32]), [0, 0, 0]);
    world.point(BASE + 8, inner);
    assert.deepEqual(world.reached([pool, inner, other], [1024, 32, 32]), [1, 1, 1]);
  });

  test('is the same as a plain search, in whatever order lists run', () => {
    const count = 5000;
    const world = new World(1 << 20);
    const starts = Array.from({ length: count }, (_, n) => BASE + 65_536 + 96 * n);
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed % below;
    };
    const edges = new Map<number, number[]>();
    for (let n = 0; n < count; n++) {
      const to = [random(count), random(3) === 0 ? random(count) : n];
      edges.set(n, to);
      for (const [place, one] of to.entries()) {
        world.point((starts[n] as number) + 8 * place, (starts[one] as number) + random(64));
      }
    }
    const roots = [1, 2, 3].map(() => random(count));
    for (const [n, root] of roots.entries()) world.point(BASE + 8 * n, starts[root] as number);
    const expected = new Array<number>(count).fill(0);
    for (let open = roots; open.length > 0; ) {
      const block = open.pop() as number;
      if (expected[block] === 1) continue;
      expected[block] = 1;
      open = open.concat(edges.get(block) ?? []);
    }
    assert.ok(expected.includes(0) && expected.filter(Boolean).length > 100);
    assert.deepEqual(
      world.reached(
        starts,
        starts.map(() => 64),
      ),
      expected,
    );
  });
});
