/** Damaged tables of flags, and every mask: refused in words, or said without losing a bit. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { MemWatcherError, NotSupported } from '../../core/errors.js';
import type { Kernel } from '../../core/kernel/kernel.js';
import { GfpFlags } from '../../core/memory/gfp.js';
import { type GfpTable, parseGfpTable } from '../../core/memory/gfp-table.js';
import { profiles } from '../conformance/harness.js';
import { random } from './random.js';

const ROUNDS = 300;
const MASKS = 200;

/** Answers by chance, and always the same to one question. */
function someKernel(below: (limit: number) => number): Kernel {
  const answers = new Map<string, boolean>();
  return {
    release: 'any',
    btfPath: undefined,
    check: (fact) => {
      const key = JSON.stringify(fact);
      const holds = answers.get(key) ?? below(2) === 0;
      answers.set(key, holds);
      return holds ? { holds } : { holds, missing: key };
    },
    resolve: () => {
      throw new NotSupported('parameters');
    },
    enumerators: () =>
      below(3) === 0
        ? undefined
        : new Map(
            ['DMA', 'IO', 'FS', 'X_Y', 'LAST', ''].map((name) => [`___GFP_${name}_BIT`, below(40)]),
          ),
  };
}

const WORDS = [
  'bits',
  'masks',
  'of',
  'needs',
  'DMA',
  '0',
  '31',
  '99',
  '-',
  ':',
  '[',
  ']',
  '\n',
  '  ',
];

function damaged(text: string, below: (limit: number) => number): string {
  let result = text;
  for (let edits = below(4); edits > 0; edits--) {
    const at = below(result.length);
    result = result.slice(0, at) + WORDS[below(WORDS.length)] + result.slice(at + below(6));
  }
  return result;
}

/** The bits that the words stand for. */
function bitsOf(gfp: GfpFlags, said: string): number {
  if (said === 'none') return 0;
  return said.split('|').reduce((sum, word) => {
    const mask = word.startsWith('0x') ? Number(word) : gfp.mask(word as `GFP_${string}`);
    assert.ok(mask !== undefined, word);
    return (sum | mask) >>> 0;
  }, 0);
}

test('damaged tables are refused or used, and no mask loses a bit', () => {
  const original = readFileSync(join(profiles, 'gfp.yaml'), 'utf8');
  let refused = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const below = random(round + 1);
    let table: GfpTable;
    try {
      table = parseGfpTable('gfp.yaml', damaged(original, below));
    } catch (error) {
      assert.ok(error instanceof MemWatcherError, `round ${round}: ${error}`);
      assert.match(error.message, /^gfp\.yaml:\d+:\d+: /, `round ${round}`);
      refused++;
      continue;
    }
    const gfp = GfpFlags.of(someKernel(below), table);
    for (let n = 0; n < MASKS; n++) {
      const mask = below(2 ** 32);
      const said = gfp.describe(mask);
      assert.equal(bitsOf(gfp, said), mask, `round ${round}: ${said}`);
      for (const name of gfp.names(mask)) assert.equal(gfp.has(mask, name), true);
      gfp.highestZone(mask);
      gfp.migrateType(mask);
    }
  }
  assert.ok(refused > ROUNDS / 10 && refused < ROUNDS * 0.9, `${refused} refused`);
});
