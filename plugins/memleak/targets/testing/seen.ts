/** Targets and the kernel's side together, looked at as often as a test asks. */
import { setImmediate } from 'node:timers/promises';
import { silentLogger } from '../../../../core/logger.js';
import { readProcessMap } from '../../../../core/symbolize/process-map.js';
import type { Reading } from '../../model.js';
import type { UserWatcher } from '../../user/watcher.js';
import { makeTargetsConfig } from '../config.js';
import type { FollowedTarget } from '../followed-target.js';
import { Targets } from '../targets.js';
import type { Program } from './program.js';

export class Seen {
  readonly #targets;
  #now = 0;
  longest = 0;

  constructor(
    readonly watch: UserWatcher,
    readonly program: Program,
    ...others: readonly Program[]
  ) {
    const targets = [program, ...others].map(({ pid }) => ({ pid }));
    this.#targets = new Targets({
      watch,
      config: makeTargetsConfig({ targets, budget: 0, limit: 0 }),
      health: { degraded: () => undefined, clear: () => undefined },
      logger: silentLogger,
      readMap: (pid) => readProcessMap(pid),
      clock: () => this.#now,
    });
  }

  async look(): Promise<this> {
    this.#now++;
    do {
      const began = performance.now();
      this.#targets.refresh();
      this.longest = Math.max(this.longest, performance.now() - began);
      await setImmediate();
    } while (this.#targets.busy);
    return this;
  }

  get target(): FollowedTarget {
    return this.#targets.current()[0] as FollowedTarget;
  }

  /** Of that many bytes each, or by a stack that satisfies. */
  outstanding(size: number): { readonly count: number; readonly frames: readonly bigint[] } {
    const found = this.#readings().filter(
      ({ bytes, allocations }) => allocations > 0 && bytes / allocations === size,
    );
    const count = found.reduce((sum, { allocations }) => sum + allocations, 0);
    return { count, frames: found[0]?.frames ?? [] };
  }

  moduleOf(address: bigint): string | undefined {
    return this.target.map?.find(address)?.path;
  }

  /** ms that it took. */
  async close(): Promise<number> {
    const began = performance.now();
    await this.#targets.close();
    return performance.now() - began;
  }

  #readings(): readonly Reading[] {
    return this.watch
      .read({ ages: false })
      .readings.filter(
        ({ source }) => source.kind === 'process' && source.pid === this.program.pid,
      );
  }
}
