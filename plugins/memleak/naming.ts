import type { Frame } from '../../core/symbolize/frame.js';
import type { ProcessMap, Symbolizer } from '../../core/symbolize/symbolizer.js';
import type { Reading } from './model.js';

/** Stacks whose names are remembered. */
const REMEMBERED = 8192;
/**
 * Times that names are asked for that did not come, where the reason is the file's. Other reasons
 * pass, and count for nothing.
 */
const TRIES = 5;

/** A stack that is to be named, and where its addresses are. */
export interface Nameless {
  readonly reading: Reading;
  /** Absent of the kernel. */
  readonly map?: ProcessMap;
}

/** Names of kernel addresses, in the form of the symbolizer's. */
export interface KernelNames {
  frames(addresses: readonly bigint[]): Promise<readonly Frame[]>;
}

interface Known {
  readonly frames: readonly Frame[];
  readonly tries: number;
  /** All that could be named is. */
  readonly whole: boolean;
}

/** Names stacks once, the wanted ones first, and never waits longer than it is told. */
export class Naming {
  readonly #symbolizer: Symbolizer;
  readonly #kernel: KernelNames | undefined;
  readonly #known = new Map<string, Known>();

  constructor(symbolizer: Symbolizer, kernel: KernelNames | undefined) {
    this.#symbolizer = symbolizer;
    this.#kernel = kernel;
  }

  /** What is known of it by now: names, or addresses alone. */
  frames({ key, frames }: Reading): readonly Frame[] {
    return this.#known.get(key)?.frames ?? frames.map((address) => ({ address, inlined: false }));
  }

  /** Resolves when all are named, or after `deadlineMs`; what is not named then is asked for again. */
  async name(stacks: readonly Nameless[], deadlineMs: number): Promise<void> {
    const byMap = new Map<ProcessMap | undefined, Reading[]>();
    for (const { reading, map } of stacks) {
      if (this.#isSettled(reading.key)) continue;
      const same = byMap.get(map);
      if (same) same.push(reading);
      else byMap.set(map, [reading]);
    }
    const options = { calls: true, deadlineMs } as const;
    await Promise.all(
      [...byMap].map(([map, readings]) =>
        map
          ? this.#process(map, readings, options)
          : Promise.all(readings.map((reading) => this.#ofKernel(reading))),
      ),
    );
  }

  get statistics(): Symbolizer['statistics'] {
    return this.#symbolizer.statistics;
  }

  async #process(
    map: ProcessMap,
    readings: readonly Reading[],
    options: { readonly calls: true; readonly deadlineMs: number },
  ): Promise<void> {
    const addresses = [...new Set(readings.flatMap(({ frames }) => frames))];
    const named = await this.#symbolizer.symbolize(map, addresses, options);
    for (const { key, frames } of readings) {
      const whole = frames.flatMap(
        (address) => named.get(address) ?? [{ address, inlined: false } as const],
      );
      this.#remember(key, whole);
    }
  }

  async #ofKernel({ key, frames }: Reading): Promise<void> {
    if (this.#kernel) this.#remember(key, await this.#kernel.frames(frames));
  }

  #isSettled(key: string): boolean {
    const known = this.#known.get(key);
    return known !== undefined && (known.whole || known.tries >= TRIES);
  }

  #remember(key: string, frames: readonly Frame[]): void {
    const isTemporary = frames.some((frame) => frame.isTemporary === true);
    const tries = (this.#known.get(key)?.tries ?? 0) + Number(!isTemporary);
    this.#known.delete(key);
    this.#known.set(key, { frames, tries, whole: frames.every(({ lack }) => lack === undefined) });
    if (this.#known.size <= REMEMBERED) return;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined) this.#known.delete(oldest);
  }
}
