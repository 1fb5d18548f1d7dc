/**
 * User space's numbers of what slab allocations are of: a cache by its name, or, where a tracepoint
 * tells the size alone and the cache cannot be found, those followed caches that have this size.
 */
import { isKmalloc, type SlabCache } from './slabinfo.js';

/** KERNEL_NAME_SIZE of memleak-kernel.h; longer names are cut, by the kernel's programs as well. */
export const NAME_SIZE = 48;

export class Origins {
  readonly #byLabel = new Map<string, number>();
  /** [number - 1] */
  readonly #labels: string[] = [];

  /** The same for the same label; from 1. */
  numberOf(label: string): number {
    const known = this.#byLabel.get(label);
    if (known !== undefined) return known;
    this.#labels.push(label);
    this.#byLabel.set(label, this.#labels.length);
    return this.#labels.length;
  }

  labelOf(number: number): string {
    return this.#labels[number - 1] ?? `cache ${number}`;
  }
}

/** What the tables `names` and `sizes` are to hold. */
export interface CacheTables {
  /** Name → number. */
  readonly names: ReadonlyMap<string, number>;
  /** size_key() of caches.h → number. */
  readonly sizes: ReadonlyMap<number, number>;
}

/** `bySize`: no tracepoint tells the cache; else kmalloc's do not. */
export function tablesOf(
  followed: readonly string[],
  caches: readonly SlabCache[],
  bySize: boolean,
  origins: Origins,
): CacheTables {
  const names = new Map<string, number>();
  const together = new Map<number, string[]>();
  for (const name of followed) {
    names.set(name, origins.numberOf(name));
    const size = caches.find((cache) => cache.name === name)?.objectSize;
    if (size === undefined || !(bySize || isKmalloc(name))) continue;
    const key = size * 2 + (isKmalloc(name) ? 1 : 0);
    together.set(key, [...(together.get(key) ?? []), name]);
  }
  const sizes = new Map<number, number>();
  for (const [key, of] of together) sizes.set(key, origins.numberOf(of.join('|')));
  return { names, sizes };
}
