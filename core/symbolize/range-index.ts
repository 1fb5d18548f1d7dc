/** What belongs to ranges of addresses, found by an address. */
export class RangeIndex {
  readonly #given: number[] = [];
  #starts = new Float64Array(0);
  #ends = new Float64Array(0);
  #values = new Float64Array(0);
  #isSorted = true;

  get size(): number {
    return this.#given.length / 3;
  }

  /** [start, end). Addresses are below 2^53 on every machine. */
  add(start: bigint, end: bigint, value: number): void {
    if (start >= end || end > BigInt(Number.MAX_SAFE_INTEGER)) return;
    this.#given.push(Number(start), Number(end), value);
    this.#isSorted = false;
  }

  /** Of the last to begin of those that hold the address. */
  find(address: bigint): number | undefined {
    if (!this.#isSorted) this.#sort();
    const place = Number(address);
    const below = this.#below(place);
    for (let n = below; n >= Math.max(0, below - MAX_NESTED); n--) {
      if (place < (this.#ends[n] ?? 0)) return this.#values[n];
    }
    return undefined;
  }

  #sort(): void {
    const given = this.#given;
    const at = (entry: number, part: number) => given[entry * 3 + part] ?? 0;
    const order = Uint32Array.from({ length: this.size }, (_, entry) => entry);
    // Of those that begin together the shortest is the innermost.
    order.sort((a, b) => at(a, 0) - at(b, 0) || at(b, 1) - at(a, 1));
    this.#starts = Float64Array.from(order, (entry) => at(entry, 0));
    this.#ends = Float64Array.from(order, (entry) => at(entry, 1));
    this.#values = Float64Array.from(order, (entry) => at(entry, 2));
    this.#isSorted = true;
  }

  #below(place: number): number {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] ?? 0) <= place) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

/** Ranges that begin within another before its end. */
const MAX_NESTED = 64;
