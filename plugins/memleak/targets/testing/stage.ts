/** Real processes, followed by a watch that attaches to nothing, and a clock that the test moves. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type * as z from 'zod';
import { silentLogger } from '../../../../core/logger.js';
import { readProcessMap } from '../../../../core/symbolize/process-map.js';
import { makeTargetsConfig, type targetsConfig } from '../config.js';
import { probeCost } from '../cost/probe-cost.js';
import type { FollowedTarget } from '../followed-target.js';
import { Targets, type TargetsOptions } from '../targets.js';
import { FakeWatch } from './fake-watch.js';
import { compile, Program, type StartOptions, workshop } from './program.js';

export const dir = workshop();
export const dynamic = compile(dir, 'allocate', 'allocate.c', {
  flags: ['-DWITH_DLOPEN', '-ldl'],
});
export const staticGlibc = compile(dir, 'allocate-glibc', 'allocate.c', { flags: ['-static'] });
export const library = compile(dir, 'libown-malloc.so', 'own-malloc.c', {
  flags: ['-shared', '-fPIC'],
});
export const skip =
  dynamic.missing ?? (process.getuid?.() === 0 ? false : 'others’ maps are root’s');

/** Seconds after which maps are read again though nothing points to a change. */
export const REREAD_SECONDS = 31;

type Given = { [K in keyof typeof targetsConfig]?: z.input<(typeof targetsConfig)[K]> };

/** Nothing waits: the clock is the test’s. */
export class Bench {
  readonly watch = new FakeWatch();
  readonly conditions = new Map<string, string>();
  readonly targets: Targets;
  #now = 0;

  constructor(context: TestContext, config: Given, more: Partial<TargetsOptions> = {}) {
    this.targets = new Targets({
      watch: this.watch,
      config: makeTargetsConfig(config),
      health: {
        degraded: (id, reason) => this.conditions.set(id, reason),
        clear: (id) => this.conditions.delete(id),
      },
      logger: silentLogger,
      readMap: (pid) => readProcessMap(pid),
      clock: () => this.#now,
      cost: probeCost('session'),
      ...more,
    });
    context.after(async () => {
      await this.targets.close();
      this.watch.close();
    });
  }

  /** Seconds pass; all that is to be done is done. */
  async pass(seconds = 1): Promise<this> {
    for (let second = 0; second < seconds; second++) {
      this.#now++;
      do {
        this.targets.refresh();
        await setImmediate();
      } while (this.targets.busy);
    }
    return this;
  }

  /** Those that have not ended. */
  get current(): readonly FollowedTarget[] {
    return this.targets.current().filter(({ state }) => state !== 'ended');
  }

  get pids(): number[] {
    return this.current.map(({ process }) => process.pid);
  }

  only(): FollowedTarget {
    assert.equal(this.current.length, 1);
    return this.current[0] as FollowedTarget;
  }
}

export async function start(context: TestContext, file = dynamic.path, options: StartOptions = {}) {
  const program = await Program.start(file, options);
  context.after(() => program.stop());
  return program;
}

export const inodeOf = (path: string) => {
  const { dev, ino } = statSync(path);
  return `${dev} ${ino}`;
};

/** Offsets of defined symbols into a file whose first segment begins at 0, as nm says. */
export function addresses(path: string): ReadonlyMap<string, number> {
  const { stdout } = spawnSync('nm', ['-D', '--defined-only', path], { encoding: 'utf8' });
  const entries = stdout.split('\n').map((line) => line.split(' '));
  return new Map(
    entries.map(([at = '', , name = '']) => [name.replace(/@.*/, ''), parseInt(at, 16)]),
  );
}
