import type { Kernel } from '../kernel/kernel.js';

/**
 * The kinds of page blocks between which the allocator tells: `enum migratetype`, whose numbers
 * depend on how the kernel was built (`cma` takes a place before `isolate`).
 */
export class MigrateTypes {
  readonly #names: ReadonlyMap<number, string>;

  /** As this kernel's BTF has them; without BTF none is known. */
  static of(kernel: Kernel): MigrateTypes {
    return new MigrateTypes(kernel.enumerators({ name: 'enum migratetype' }) ?? new Map());
  }

  private constructor(enumerators: ReadonlyMap<string, number>) {
    const names = new Map<number, string>();
    for (const [text, value] of enumerators) {
      const [, name] = /^MIGRATE_([A-Z]+)$/.exec(text) ?? [];
      // PCPTYPES and TYPES count those before them, and PCPTYPES has HIGHATOMIC's number.
      if (name !== undefined && !name.endsWith('TYPES')) names.set(value, name.toLowerCase());
    }
    this.#names = names;
  }

  /** `unmovable`, `movable`, `reclaimable`, `highatomic`, `cma`, `isolate`; undefined if unknown. */
  name(value: number): string | undefined {
    return this.#names.get(value);
  }

  /** The number of a name; undefined if this kernel has no such kind. */
  value(name: string): number | undefined {
    for (const [value, known] of this.#names) if (known === name) return value;
    return undefined;
  }

  /** Every kind that this kernel has, in its order; with it, its number. */
  get all(): ReadonlyMap<number, string> {
    return this.#names;
  }
}
