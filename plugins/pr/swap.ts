import { readFileSync } from 'node:fs';
import type { SwapReport } from './reclaim.js';

/**
 * Pages swapped in and out. The kernel has no hook for them but counts them anyway, so its own
 * counters are read: once a collection, 40 µs.
 */
export class SwapCounters {
  readonly #first: SwapReport | undefined;

  constructor(private readonly read: () => string = () => readFileSync('/proc/vmstat', 'latin1')) {
    this.#first = this.#now();
  }

  /** What this kernel does not give. */
  get lacks(): readonly string[] {
    return this.#first === undefined ? ['pages swapped in and out'] : [];
  }

  /** Since it was made; undefined on a kernel without swap. */
  since(): SwapReport | undefined {
    const now = this.#now();
    if (!now || !this.#first) return undefined;
    return { in: now.in - this.#first.in, out: now.out - this.#first.out };
  }

  #now(): SwapReport | undefined {
    let text: string;
    try {
      text = this.read();
    } catch {
      return undefined;
    }
    const pages = (name: string) => {
      const digits = new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1];
      return digits === undefined ? undefined : Number(digits);
    };
    const [swappedIn, swappedOut] = [pages('pswpin'), pages('pswpout')];
    if (swappedIn === undefined || swappedOut === undefined) return undefined;
    return { in: swappedIn, out: swappedOut };
  }
}
