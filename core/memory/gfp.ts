/**
 * What a GFP mask says: the flags of a request for pages, as the running kernel means them.
 *
 * The bits move between kernels (0x200 was __GFP_ATOMIC until 6.2, and is nothing since), and so does
 * what names such as GFP_NOWAIT stand for. Newer kernels tell their bits in BTF, for the older ones
 * config/kernel/gfp.yaml does, chosen by facts. A bit that neither knows stays a number.
 */
import { findInstallation } from '../install.js';
import type { Fact, Kernel } from '../kernel/kernel.js';
import { type GfpTable, readGfpTable } from './gfp-table.js';

/** As the kernel spells it: one bit, or a name that stands for several. */
export type GfpName = `__GFP_${string}` | `GFP_${string}`;

interface NamedMask {
  readonly name: GfpName;
  readonly mask: number;
}

export class GfpFlags {
  /** Flags that are one bit; the name without `__GFP_` → the mask. */
  readonly #flags: ReadonlyMap<string, number>;
  /** All that may be said of a mask, in the order of saying. */
  readonly #names: readonly NamedMask[];
  /** The same by name. */
  readonly #masks: ReadonlyMap<GfpName, number>;
  readonly #zones: ReadonlyMap<string, number> | undefined;

  /**
   * As this kernel has them; of one that the table does not know, every bit stays a number.
   * CONFIG_INVALID or CONFIG_NOT_FOUND if the table is broken. Asks some ten facts: once a plugin.
   */
  static of(kernel: Kernel, table: GfpTable = readGfpTable(folderOf(kernel))): GfpFlags {
    return new GfpFlags(kernel, table);
  }

  private constructor(kernel: Kernel, { bits, masks }: GfpTable) {
    const holds = ({ needs }: { readonly needs: readonly Fact[] }) =>
      needs.every((fact) => kernel.check(fact).holds);
    this.#flags = flagsOf(kernel, bits.find(holds), holds);
    this.#names = [
      ...composites(masks.filter(holds), this.#flags),
      ...[...this.#flags]
        .map(([name, mask]): NamedMask => ({ name: `__GFP_${name}`, mask }))
        .toSorted((a, b) => a.mask - b.mask),
    ];
    this.#masks = new Map(this.#names.map(({ name, mask }) => [name, mask]));
    this.#zones = kernel.enumerators({ name: 'enum zone_type' });
  }

  /**
   * As the kernel itself prints a mask: names that stand for several flags first, then single
   * flags from the lowest bit, then as one hexadecimal number what has no name:
   * `GFP_KERNEL|__GFP_NOWARN|0x80000000`. `none` for 0, as in the kernel's tracepoints.
   */
  describe(mask: number): string {
    const { names, rest } = this.#split(mask);
    const parts = rest === 0 ? names : [...names, `0x${rest.toString(16)}`];
    return parts.length === 0 ? 'none' : parts.join('|');
  }

  /** As `describe`, without what has no name. */
  names(mask: number): GfpName[] {
    return this.#split(mask).names;
  }

  /** Whether all bits of `name` are set; undefined if this kernel has nothing of that name. */
  has(mask: number, name: GfpName): boolean | undefined {
    const wanted = this.mask(name);
    return wanted === undefined ? undefined : (mask & wanted) >>> 0 === wanted;
  }

  /** The value of a flag or of several flags' name; undefined if this kernel has none so called. */
  mask(name: GfpName): number | undefined {
    return this.#masks.get(name);
  }

  /** Position of a single flag, 0 to 31, as the kernel's `___GFP_<NAME>_BIT`. */
  bit(name: `__GFP_${string}`): number | undefined {
    const mask = this.#flags.get(name.slice(PREFIX.length));
    return mask === undefined ? undefined : Math.log2(mask);
  }

  /**
   * The highest zone that may serve the request (gfp_zone of include/linux/gfp.h), as
   * /proc/zoneinfo spells it; lower ones may as well. undefined for a mask that the kernel calls
   * bad, or where it cannot be told.
   */
  highestZone(mask: number): string | undefined {
    const zones = this.#zones;
    if (zones === undefined || this.mask('__GFP_DMA') === undefined) return undefined;
    const asked = ZONE_FLAGS.filter((name) => this.has(mask, `__GFP_${name}`) === true);
    if (asked.length > 1) return undefined;
    const [only] = asked;
    if (only === 'HIGHMEM' && this.has(mask, '__GFP_MOVABLE') === true) return 'Movable';
    if (only === undefined) return 'Normal';
    if (zones.has(`ZONE_${only}`)) return ZONE_NAMES[only];
    // A kernel without the zone takes the next lower one that it has; 64 bits suffice for all.
    return only === 'DMA32' && zones.has('ZONE_DMA') ? 'DMA' : 'Normal';
  }

  /**
   * The kind of page block that the mask asks for (gfp_migratetype), as in /proc/pagetypeinfo. On a
   * machine too small to group pages the kernel takes `unmovable` for all. undefined for both
   * flags at once, which no caller may give.
   */
  migrateType(mask: number): 'unmovable' | 'movable' | 'reclaimable' | undefined {
    const movable = this.has(mask, '__GFP_MOVABLE');
    const reclaimable = this.has(mask, '__GFP_RECLAIMABLE');
    if (movable === undefined || reclaimable === undefined || (movable && reclaimable)) {
      return undefined;
    }
    if (movable) return 'movable';
    return reclaimable ? 'reclaimable' : 'unmovable';
  }

  #split(mask: number): { names: GfpName[]; rest: number } {
    const names: GfpName[] = [];
    let rest = mask >>> 0;
    for (const known of this.#names) {
      if ((rest & known.mask) >>> 0 !== known.mask) continue;
      names.push(known.name);
      rest = (rest & ~known.mask) >>> 0;
    }
    return { names, rest };
  }
}

const PREFIX = '__GFP_';
const ZONE_FLAGS = ['DMA', 'HIGHMEM', 'DMA32'] as const;
const ZONE_NAMES = { DMA: 'DMA', HIGHMEM: 'HighMem', DMA32: 'DMA32' } as const;

function folderOf({ profiles }: Kernel): string {
  return profiles ?? findInstallation(import.meta.url).profiles;
}

type BitSet = GfpTable['bits'][number];

function flagsOf(
  kernel: Kernel,
  set: BitSet | undefined,
  holds: (part: BitSet['also'][number]) => boolean,
): Map<string, number> {
  if (set === undefined) return new Map();
  const known = [set, ...set.also.filter(holds)].flatMap(({ bits }) => Object.entries(bits));
  const bits = [...enumerated(kernel, set.enumerated), ...known];
  return new Map(bits.map(([name, bit]) => [name, 2 ** bit]));
}

/** `___GFP_<NAME>_BIT` of the enum that has `enumerator`. */
function enumerated(kernel: Kernel, enumerator: string | undefined): [string, number][] {
  if (enumerator === undefined) return [];
  const found = kernel.enumerators({ having: enumerator }) ?? new Map<string, number>();
  return [...found].flatMap(([text, bit]): [string, number][] => {
    const [, name = ''] = /^___GFP_(\w+)_BIT$/.exec(text) ?? [];
    // LAST counts the bits, and UNUSED is a hole between them.
    const isFlag = name !== '' && name !== 'LAST' && name !== 'UNUSED' && bit >= 0 && bit < 32;
    return isFlag ? [[name, bit]] : [];
  });
}

/** The value of each name that stands for several flags, the first of a name. */
function composites(masks: GfpTable['masks'], flags: ReadonlyMap<string, number>): NamedMask[] {
  const maskOf = (part: string, within: readonly string[]): number | undefined => {
    const found = within.includes(part) ? undefined : masks.find(({ name }) => name === part);
    if (found === undefined) return flags.get(part);
    let sum = 0;
    for (const inner of found.of) {
      const mask = maskOf(inner, [...within, part]);
      // Without one of its flags the name would be said of masks that it does not mean.
      if (mask === undefined) return undefined;
      sum = (sum | mask) >>> 0;
    }
    return found.also.reduce((all, flag) => (all | (flags.get(flag) ?? 0)) >>> 0, sum);
  };
  return [...new Set(masks.map(({ name }) => name))].flatMap((name): NamedMask[] => {
    const mask = maskOf(name, []);
    return mask === undefined ? [] : [{ name: name as GfpName, mask }];
  });
}
