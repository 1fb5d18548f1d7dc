/**
 * The kernel holds a table of its flags of its own, for the text of a tracepoint's event: what we say
 * of a mask is compared with it, on whatever kernel this runs.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { RunningKernel } from '../kernel/running-kernel.js';
import { GfpFlags, type GfpName } from './gfp.js';

const kernel = new RunningKernel();

/** `{mask, "name"}` pairs of the event's `print fmt`; undefined with the reason where unreadable. */
function kernelTable(): Map<GfpName, number> | string {
  const { root } = kernel.tracefs;
  if (root === undefined) return `no ${kernel.tracefs.why()}`;
  const file = join(root, 'events', 'kmem', 'mm_page_alloc', 'format');
  const [, text] =
    /__print_flags\(REC->gfp_flags, "\|", (.*)/.exec(readFileSync(file, 'utf8')) ?? [];
  assert.ok(text, 'the event has no table of flags');
  const pairs = [...text.matchAll(/\{\s*(\(.*?\)), "(\w+)"\}/g)];
  return new Map(pairs.map(([, value = '', name]) => [name as GfpName, evaluate(value)]));
}

/** C of casts, numbers and | & ~ <<: what the preprocessor left. */
function evaluate(expression: string): number {
  const plain = expression
    .replace(/\(\s*(unsigned long|gfp_t)\s*\)/g, '')
    .replace(/\b(0x[0-9a-f]+|\d+)(u|ul)\b/gi, '$1');
  const tokens = plain.match(/0x[0-9a-f]+|\d+|<<|[()|&~]|\S/gi) ?? [];
  const peek = () => tokens[0];
  const primary = (): bigint => {
    const token = tokens.shift() ?? '';
    if (token === '~') return ~primary();
    if (token !== '(') return BigInt(token);
    const value = or();
    assert.equal(tokens.shift(), ')', expression);
    return value;
  };
  const chain = (
    operator: string,
    inner: () => bigint,
    apply: (a: bigint, b: bigint) => bigint,
  ) => {
    let value = inner();
    while (peek() === operator) {
      tokens.shift();
      value = apply(value, inner());
    }
    return value;
  };
  const shift = () => chain('<<', primary, (a, b) => a << b);
  const and = () => chain('&', shift, (a, b) => a & b);
  const or = (): bigint => chain('|', and, (a, b) => a | b);
  const value = or();
  assert.equal(tokens.length, 0, `${expression}: ${tokens.join(' ')}`);
  return Number(BigInt.asUintN(32, value));
}

const table = kernelTable();
const skip = typeof table === 'string' ? table : false;
const known = typeof table === 'string' ? new Map<GfpName, number>() : table;

test('every name of the kernel’s own table means the same mask', { skip }, () => {
  assert.ok(known.size > 25, `${known.size} names`);
  const gfp = GfpFlags.of(kernel);
  const ours = [...known.keys()].map((name) => [name, gfp.mask(name)?.toString(16)]);
  assert.deepEqual(
    ours,
    [...known].map(([name, mask]) => [name, mask.toString(16)]),
  );
});

test('what the kernel has no name for is a number here too', { skip }, () => {
  const gfp = GfpFlags.of(kernel);
  const named = [...known.values()].reduce((all, mask) => (all | mask) >>> 0, 0);
  // 6.12 has flags in its enum that the table lacks.
  const ours = Array.from({ length: 32 }, (_, bit) => 2 ** bit).filter(
    (mask) => gfp.names(mask).length > 0,
  );
  for (const mask of ours.filter((mask) => (named & mask) === 0)) {
    assert.match(gfp.describe(mask), /^__GFP_NO_OBJ_EXT$/);
  }
  const unnamed = 2 ** 31;
  assert.equal(gfp.describe(0xcc0 + unnamed), 'GFP_KERNEL|0x80000000');
});

test('masks are split as the kernel splits them', { skip }, () => {
  const gfp = GfpFlags.of(kernel);
  const masks = [0xcc0, 0x346cca, 0x500cc2, 0x100cca, 0x1100cca, 0x820, 0xa20, 0x800, 0x2800, 0x1];
  const [every] = [[...known.values()].reduce((all, mask) => (all | mask) >>> 0, 0)];
  for (const mask of [...masks, ...known.values(), every]) {
    const parts: string[] = [];
    let rest = mask ?? 0;
    for (const [name, value] of known) {
      if (value === 0 || (rest & value) >>> 0 !== value) continue;
      parts.push(name);
      rest = (rest & ~value) >>> 0;
    }
    // The kernel's order of single flags differs from kernel to kernel, and its table may lag behind
    // its enum.
    const ours = gfp.names(mask ?? 0).filter((name) => known.has(name));
    assert.deepEqual(ours.toSorted(), parts.toSorted(), mask?.toString(16));
  }
});
