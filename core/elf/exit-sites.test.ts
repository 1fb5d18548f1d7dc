/** Where functions return: hand-made ones first, then those of real allocators against objdump. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';
import { ElfFile } from './elf-file.js';
import { exitSites, findExits } from './exit-sites.js';
import { disassemble, hasObjdump, LIBRARIES } from './testing/objdump.js';

const code = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

describe('the returns of a function', () => {
  const cases: readonly [
    title: string,
    hex: string,
    exits: readonly number[] | undefined,
    more?: { entry?: number; size?: number; slots?: Readonly<Record<number, number>> },
  ][] = [
    ['one', '53 5b c3', [2]],
    ['on both sides of a branch', '7402 5b c3 c3', [3, 4]],
    ['that take words from the stack, and after rep', 'c20800', [0]],
    ['where it goes on behind another function', 'eb02 c3 90 5b c3', [5], { size: 2 }],
    ['of the function that it jumps to, before it', '5b c3 ebfc', [1], { entry: 2, size: 2 }],
    [
      'and not of what lies behind a call that does not come back',
      'e800000000 c3',
      undefined,
      { size: 5 },
    ],
    ['but of what lies behind one in its middle', 'e800000000 5b c3', [6], { size: 7 }],
    [
      'behind a jump through a slot of this file',
      'ff2502000000 9090 5b c3',
      [9],
      { slots: { 8: 8 } },
    ],
    ['not of another file', 'ff2502000000 90 c3', undefined, { size: 6 }],
    ['that a table of jumps alone leads to', 'ffe0 5b c3', [3], { size: 4 }],
    ['loops come to an end', '75fe ebfc', undefined],
    ['code that is not understood', '53 06 c3', undefined],
    ['code that is cut short', '53 e8', undefined],
  ];
  for (const [title, hex, exits, { entry = 0, size = 0, slots = {} } = {}] of cases) {
    test(title, () =>
      assert.deepEqual(
        findExits(code(hex), entry, size, (slot) => slots[slot]),
        exits,
      ),
    );
  }
});

describe('real allocators', () => {
  const NEW = ['_Znwm', '_Znam', '_ZnwmSt11align_val_t'];
  for (const path of LIBRARIES.filter((file) => /jemalloc|tcmalloc|mimalloc/.test(file))) {
    const skip = !existsSync(path) ? 'it is not installed' : !hasObjdump && 'no objdump';
    test(`${path}: each is a ret by objdump, and all of the function itself are there`, {
      skip,
    }, async () => {
      const elf = ElfFile.open(path);
      const returns = new Set<number>();
      for await (const { address, text } of disassemble(path)) {
        const offset = /^(repz? )?ret/.test(text) ? elf.offsetOf(address) : undefined;
        if (offset !== undefined) returns.add(offset);
      }
      const functions = elf.functions(NEW);
      assert.ok(functions.length > 0);
      for (const fn of functions) {
        const exits = exitSites(elf, fn) ?? [];
        assert.ok(exits.length > 0, fn.names.join());
        for (const exit of exits) assert.ok(returns.has(exit), `${fn.names} ${exit.toString(16)}`);
        const own = [...returns].filter((at) => at >= fn.offset && at < fn.offset + fn.size);
        for (const exit of own) assert.ok(exits.includes(exit), `${fn.names} ${exit.toString(16)}`);
      }
      elf.close();
    });
  }
});
