/** The kernel's part on the running kernel, for tests: what stacks through a function hold. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BpfLoader } from '../../core/bpf/host.js';
import { createBpfHost } from '../../core/bpf/libbpf.js';
import { findInstallation } from '../../core/install.js';
import { createBpfLoader } from '../../core/kernel/loader.js';
import { readProfile } from '../../core/kernel/profile.js';
import { RunningKernel } from '../../core/kernel/running-kernel.js';
import { silentLogger } from '../../core/logger.js';
import { KernelSymbols } from '../../core/symbolize/kallsyms.js';
import { type KernelConfig, kernelConfig } from './kernel/config.js';
import { KernelWatch, type KernelWatchOptions } from './kernel/kernel-watch.js';
import { WALKED_MAPS } from './kernel/readings.js';
import type { Reading } from './model.js';
import { walkMissing, withWalk } from './walk/live-only.js';
import { WALKS, type WalkName } from './walk/walk.js';

const installation = findInstallation(import.meta.url);
export const kernel = new RunningKernel();
export const profile = readProfile(installation.profiles, 'memleak-kernel');
const PATIENCE_MS = 60_000;

export const loaderBy = (strategy = 'auto', walk?: WalkName): BpfLoader =>
  createBpfLoader({
    strategy,
    host: createBpfHost(),
    kernel,
    profile: withWalk(profile, walk),
    objectFile: installation.bpfObject('memleak-kernel'),
    logger: silentLogger,
  });

export interface Held {
  readonly allocations: number;
  readonly bytes: number;
  readonly readings: readonly Reading[];
}

/** With `strategy` and `walk` by no others. */
interface LiveKernelOptions extends KernelWatchOptions {
  readonly strategy?: string;
  readonly walk?: WalkName;
}

/** The walks, and of those that this kernel refuses why. */
export const walksHere = (): ReadonlyMap<WalkName, string | undefined> =>
  new Map(WALKS.map((walk) => [walk, walkMissing(kernel, profile, walk, WALKED_MAPS)]));

export class LiveKernel {
  readonly watch: KernelWatch;
  readonly #symbols = new KernelSymbols();
  /** By key: whether the stack passes the function that was asked for, and which it was. */
  readonly #names = new Map<string, readonly string[]>();

  constructor(
    config: Partial<Record<keyof KernelConfig, unknown>>,
    { strategy, walk, ...options }: LiveKernelOptions = {},
  ) {
    this.watch = new KernelWatch(kernelConfig.parse({ enabled: true, ...config }), options);
    this.watch.start(loaderBy(strategy, walk));
  }

  /** Of those stacks that pass such functions, each of them, and of such an origin. */
  async held(passes: readonly RegExp[], origin: RegExp, ages = false): Promise<Held> {
    const readings = this.watch
      .read({ ages })
      .readings.filter((reading) => origin.test(reading.origin ?? ''));
    // All at once: passes over kallsyms keep their distance from one another.
    const names = await Promise.all(readings.map((reading) => this.namesOf(reading)));
    const found = readings.filter((_, n) =>
      passes.every((pass) => names[n]?.some((name) => pass.test(name))),
    );
    const sum = (of: 'allocations' | 'bytes') => found.reduce((all, one) => all + one[of], 0);
    return { allocations: sum('allocations'), bytes: sum('bytes'), readings: found };
  }

  async namesOf({ key, frames }: Reading): Promise<readonly string[]> {
    const known = this.#names.get(key);
    if (known) return known;
    const names = (await this.#symbols.resolve(frames)).map((frame) => frame.function ?? '');
    this.#names.set(key, names);
    return names;
  }

  /** Looks until it is so; gives what it was last, so that a test says it. */
  async until(look: () => Promise<Held>, isSo: (held: Held) => boolean): Promise<Held> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const held = await look();
      if (isSo(held) || performance.now() > deadline) return held;
      await sleep(50);
    }
  }

  async close(): Promise<void> {
    await this.watch.close();
    this.#symbols.close();
  }
}

/** A raw tracepoint's arguments. */
export const context = (...values: readonly (number | bigint)[]): Uint8Array =>
  new Uint8Array(new BigUint64Array(values.map(BigInt)).buffer);
