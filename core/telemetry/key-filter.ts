/** A megabit: with 100,000 keys 3 % of the others are taken for one of them. */
const BITS = 2 ** 20;

/**
 * A Bloom filter of strings: remembers in a fixed size which keys were added, and may take another
 * key for one of them.
 */
class KeyFilter {
  readonly #bits = new Uint8Array(BITS / 8);

  add(key: string): void {
    for (const bit of positions(key)) {
      this.#bits[bit >> 3] = (this.#bits[bit >> 3] ?? 0) | (1 << (bit & 7));
    }
  }

  mayHave(key: string): boolean {
    return positions(key).every((bit) => ((this.#bits[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0);
  }
}

/** Keys after which a filter is full enough. */
const KEYS = 100_000;

/**
 * Remembers the last 100,000 keys at least, and forgets those before the last 200,000: a filter that
 * keeps all of them takes every key for a known one in the end.
 */
export class RecentKeys {
  #young = new KeyFilter();
  #old = new KeyFilter();
  #added = 0;

  add(key: string): void {
    if (this.#added === KEYS) {
      this.#old = this.#young;
      this.#young = new KeyFilter();
      this.#added = 0;
    }
    this.#young.add(key);
    this.#added++;
  }

  mayHave(key: string): boolean {
    return this.#young.mayHave(key) || this.#old.mayHave(key);
  }
}

/** Two of the 32 bits of FNV-1a each, mixed apart. */
function positions(key: string): readonly [number, number] {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  const mixed = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return [(hash >>> 0) % BITS, (mixed >>> 12) % BITS];
}
