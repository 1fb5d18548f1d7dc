import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { NotSupported } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import { GfpFlags } from './gfp.js';
import { parseGfpTable, readGfpTable } from './gfp-table.js';

const FOLDER = resolve(import.meta.dirname, '..', '..', '..', 'config', 'kernel');

const ZONES = ['DMA', 'DMA32', 'NORMAL', 'MOVABLE', 'DEVICE'];

/** A kernel of which only these facts hold: the value of each, as the YAML has it. */
function kernelWith(
  facts: readonly string[],
  enums: Readonly<Record<string, Readonly<Record<string, number>>>> = {},
): Kernel {
  const zones = new Map(ZONES.map((name, n) => [`ZONE_${name}`, n]));
  const kernel: Kernel = {
    release: 'test',
    btfPath: undefined,
    profiles: FOLDER,
    check: (fact) => {
      const holds =
        'not' in fact
          ? !kernel.check(fact.not).holds
          : facts.includes(String(Object.values(fact)[0]));
      return holds ? { holds } : { holds, missing: 'it' };
    },
    resolve: () => {
      throw new NotSupported('parameters');
    },
    enumerators: (of) => {
      if ('name' in of && of.name === 'enum zone_type' && !('zones' in enums)) return zones;
      const found = Object.values(enums).find((values) => 'having' in of && of.having in values);
      return found && new Map(Object.entries(found));
    },
  };
  return kernel;
}

// Facts of the kernels, oldest first; each has those of the ones before it.
const FLOOR = ['struct zone'];
const V5_15 = [...FLOOR, 'struct per_cpu_zonestat'];
const V6_1 = [...V5_15, 'page_vma_mapped_walk.pfn'];
const V6_6 = [...V6_1, 'vm_area_struct.__vm_flags', 'mm_struct.mm_lock_seq'];
const V6_8 = [...V6_6, 'shrinker.private_data'];
const LOCKDEP = 'lockdep_map.class_cache';
const HARDWARE_TAGS = 'enum kasan_arg';
const TAGS_OF_TWO = 'pageflags.PG_skip_kasan_poison';

// As those kernels print them: `mode:0x1100cca(GFP_HIGHUSER_MOVABLE)`.
const SEEN: readonly (readonly [
  kernel: string,
  facts: readonly string[],
  mask: number,
  text: string,
])[] = [
  ['5.10', FLOOR, 0x100cca, 'GFP_HIGHUSER_MOVABLE'],
  ['5.10', FLOOR, 0xa20, 'GFP_ATOMIC'],
  ['5.10', FLOOR, 0x220, '__GFP_HIGH|__GFP_ATOMIC'],
  ['5.10', FLOOR, 0x2800, 'GFP_NOWAIT|__GFP_NOWARN'],
  ['5.10', FLOOR, 0x800cc0, 'GFP_KERNEL|0x800000'],
  ['5.10 with lockdep', [...FLOOR, LOCKDEP], 0x800cc0, 'GFP_KERNEL|__GFP_NOLOCKDEP'],
  ['5.15', V5_15, 0x1100cca, 'GFP_HIGHUSER_MOVABLE'],
  ['5.15', V5_15, 0x100cca, 'GFP_HIGHUSER|__GFP_MOVABLE'],
  ['5.15', V5_15, 0x13d24ca, 'GFP_TRANSHUGE|__GFP_NORETRY|__GFP_THISNODE'],
  ['5.15 with lockdep', [...V5_15, LOCKDEP], 0x2000cc0, 'GFP_KERNEL|__GFP_NOLOCKDEP'],
  ['6.1', V6_1, 0x140cca, 'GFP_HIGHUSER_MOVABLE|__GFP_COMP'],
  ['6.1', V6_1, 0x800a20, 'GFP_ATOMIC|__GFP_ZEROTAGS'],
  ['6.1 with tags', [...V6_1, HARDWARE_TAGS, TAGS_OF_TWO], 0x6100cca, 'GFP_HIGHUSER_MOVABLE'],
  ['6.1 with tags', [...V6_1, HARDWARE_TAGS, TAGS_OF_TWO], 0x1000cc0, 'GFP_KERNEL|__GFP_SKIP_ZERO'],
  ['6.3 with tags', [...V6_6, HARDWARE_TAGS, TAGS_OF_TWO], 0x6100cca, 'GFP_HIGHUSER_MOVABLE'],
  ['6.6', V6_6, 0x820, 'GFP_ATOMIC'],
  ['6.6', V6_6, 0xa20, 'GFP_ATOMIC|0x200'],
  ['6.6', V6_6, 0x800, 'GFP_NOWAIT'],
  ['6.6 with lockdep', [...V6_6, LOCKDEP], 0x4000cc0, 'GFP_KERNEL|__GFP_NOLOCKDEP'],
  ['6.6 with tags', [...V6_6, HARDWARE_TAGS], 0x2100cca, 'GFP_HIGHUSER_MOVABLE'],
  ['6.8', V6_8, 0x2800, 'GFP_NOWAIT'],
  ['6.8', V6_8, 0x800, '__GFP_KSWAPD_RECLAIM'],
];

describe('a mask is said', () => {
  for (const [kernel, facts, mask, text] of SEEN) {
    it(`as by ${kernel}: 0x${mask.toString(16)}`, () => {
      assert.equal(GfpFlags.of(kernelWith(facts)).describe(mask), text);
    });
  }

  it('by the enum where there is one, whatever else holds', () => {
    const bits = {
      ___GFP_DMA_BIT: 0,
      ___GFP_IO_BIT: 3,
      ___GFP_UNUSED_BIT: 4,
      ___GFP_TOMORROW_BIT: 31,
      ___GFP_LAST_BIT: 5,
      ___GFP_ABSURD_BIT: 64,
    };
    const gfp = GfpFlags.of(kernelWith([...FLOOR, '___GFP_DMA_BIT'], { bits }));
    assert.equal(gfp.describe(0x8000_003b), 'GFP_DMA|__GFP_IO|__GFP_TOMORROW|0x32');
    assert.equal(gfp.bit('__GFP_TOMORROW'), 31);
    assert.equal(gfp.mask('__GFP_TOMORROW'), 2 ** 31);
    assert.equal(gfp.has(0x8000_0000, '__GFP_TOMORROW'), true);
    assert.equal(gfp.bit('__GFP_ABSURD'), undefined);
  });

  it('as a number by a kernel that nothing is known of', () => {
    const gfp = GfpFlags.of(kernelWith([]));
    assert.equal(gfp.describe(0xcc0), '0xcc0');
    assert.equal(gfp.describe(0), 'none');
    assert.deepEqual(gfp.names(0xcc0), []);
    assert.equal(gfp.has(0xcc0, '__GFP_IO'), undefined);
    assert.equal(gfp.mask('GFP_KERNEL'), undefined);
    assert.equal(gfp.highestZone(0xcc0), undefined);
    assert.equal(gfp.migrateType(0xcc0), undefined);
  });
});

describe('what a mask asks for', () => {
  const gfp = GfpFlags.of(kernelWith(V6_1));

  it('flags, and names of several', () => {
    assert.equal(gfp.has(0xcc0, '__GFP_IO'), true);
    assert.equal(gfp.has(0xcc0, '__GFP_ZERO'), false);
    assert.equal(gfp.has(0xcc0, '__GFP_RECLAIM'), true);
    assert.equal(gfp.has(0x8c0, '__GFP_RECLAIM'), false);
    assert.equal(gfp.has(0xcc0, 'GFP_KERNEL'), true);
    assert.equal(gfp.has(0xcc0, 'GFP_USER'), false);
    assert.equal(gfp.has(0xcc0, '__GFP_NO_OBJ_EXT'), undefined);
  });

  it('the kind of page block', () => {
    assert.equal(gfp.migrateType(0xcc0), 'unmovable');
    assert.equal(gfp.migrateType(0xcc8), 'movable');
    assert.equal(gfp.migrateType(0xcd0), 'reclaimable');
    assert.equal(gfp.migrateType(0xcd8), undefined);
  });

  it('the highest zone', () => {
    const zones = (of: GfpFlags) =>
      Object.fromEntries(
        Array.from({ length: 16 }, (_, mask) => [mask, of.highestZone(0xcc0 | mask)] as const),
      );
    // The table in include/linux/gfp.h, for a kernel with ZONE_DMA and ZONE_DMA32, without HIGHMEM.
    const expected = {
      0: 'Normal',
      1: 'DMA',
      2: 'Normal',
      4: 'DMA32',
      8: 'Normal',
      9: 'DMA',
      10: 'Movable',
      12: 'DMA32',
    };
    const bad = [3, 5, 6, 7, 11, 13, 14, 15].map((mask) => [mask, undefined]);
    assert.deepEqual(zones(gfp), { ...expected, ...Object.fromEntries(bad) });
  });

  it('no zone where the kernel’s zones are unknown', () => {
    assert.equal(GfpFlags.of(kernelWith(V6_1, { zones: {} })).highestZone(0xcc0), undefined);
  });
});

describe('the table', () => {
  it('names masks by others in whatever order, and not in circles', () => {
    const table = parseGfpTable(
      'gfp.yaml',
      `
bits:
  - { name: all, bits: { A: 0, B: 1, C: 2 } }
masks:
  - { name: GFP_ALL, of: [GFP_SOME, C], also: [NEVER] }
  - { name: GFP_SOME, of: [A, B] }
  - { name: GFP_NEVER, of: [A, NEVER] }
  - { name: GFP_CIRCLE, of: [A, GFP_BACK] }
  - { name: GFP_BACK, of: [GFP_CIRCLE] }
`,
    );
    const gfp = GfpFlags.of(kernelWith([]), table);
    assert.equal(gfp.mask('GFP_ALL'), 7);
    assert.equal(gfp.mask('GFP_SOME'), 3);
    for (const name of ['GFP_NEVER', 'GFP_CIRCLE', 'GFP_BACK'] as const) {
      assert.equal(gfp.mask(name), undefined);
    }
    assert.equal(gfp.describe(7), 'GFP_ALL');
  });

  const mistakes = {
    'bits: []': /gfp\.yaml:1:\d+: `bits` must be at least 1 items/,
    'bits: [{ name: x, bits: { io: 1 } }]': /gfp\.yaml:1:/,
    'bits: [{ name: x, bits: { IO: 32 } }]': /`bits\.0\.bits\.IO` must be at most 31/,
    'bits: [{ name: x, needs: [{ version: 5 }] }]': /gfp\.yaml:1:\d+: unknown key/,
    'bits: [{ name: x }]\nmask: []': /gfp\.yaml:2:1: unknown key `mask`; .*masks/,
  };
  for (const [text, message] of Object.entries(mistakes)) {
    it(`is refused with its place: ${text.replace('\n', ' ')}`, () => {
      assert.throws(() => parseGfpTable('gfp.yaml', text), { code: 'CONFIG_INVALID', message });
    });
  }

  it('that is absent is named', (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-gfp-'));
    context.after(() => rmSync(folder, { recursive: true }));
    assert.throws(() => readGfpTable(folder), {
      code: 'CONFIG_NOT_FOUND',
      message: `${join(folder, 'gfp.yaml')} cannot be read`,
    });
  });

  it('of the program is found without a folder', () => {
    const { profiles: _, ...kernel } = kernelWith(FLOOR);
    assert.equal(GfpFlags.of(kernel).describe(0xcc0), 'GFP_KERNEL');
  });
});
