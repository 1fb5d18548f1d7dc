/**
 * What one busy target pays beside others: with 0, 9, 63 and 199 more that do nothing, each ratio of rounds
 * by turns.
 */
import 'reflect-metadata';
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { memleak } from '../plugins/memleak/index.js';
import type { LeakSnapshot } from '../plugins/memleak/model.js';
import { LivePlugin } from '../test/fakes/live-plugin.js';
import { Allocations } from './allocations.js';
import { atExit } from './at-exit.js';
import { type BenchRow, median } from './bench.js';
import { busyness } from './quiet.js';

export const title = 'memleak: what a target pays beside others';

const OTHERS = [0, 9, 63, 199];
const ROUNDS = 5;
const LOOP = 100_000;
const FLAT = 1.1;

export async function run(): Promise<BenchRow[]> {
  return [...busyness(), ...(await besideOthers())];
}

async function besideOthers(): Promise<BenchRow[]> {
  const costs = new Map<number, number[]>(OTHERS.map((others) => [others, []]));
  const bare: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const others of OTHERS) {
      const busy = await Allocations.start('loop');
      const idle = await Idle.start(others);
      try {
        const before = await nsOf(busy);
        bare.push(before);
        const live = await watched([busy.pid, ...idle.pids]);
        try {
          costs.get(others)?.push(Math.min(await nsOf(busy), await nsOf(busy)));
        } finally {
          await live.close();
        }
      } finally {
        idle.stop();
        await busy.stop();
      }
    }
  }
  const alone = median(costs.get(0) ?? []);
  return OTHERS.map((others): BenchRow => {
    const cost = median(costs.get(others) ?? []);
    const note = `${cost.toFixed(0)} ns a malloc and free; ${median(bare).toFixed(0)} ns unwatched`;
    return {
      name: `a busy target beside ${others} others, sampling, against none`,
      value: cost / alone,
      unit: '×',
      ...(others > 0 && { target: `≤ ${FLAT}`, met: cost / alone <= FLAT }),
      note,
    };
  });
}

const nsOf = async (busy: Allocations): Promise<number> => (await busy.run(LOOP)).cpu / LOOP;

async function watched(pids: readonly number[]): Promise<LivePlugin<LeakSnapshot>> {
  const targets = pids.map((pid) => ({ pid }));
  const unlimited = { sampling: '512KiB', budget: 0, limit: 0 };
  const options = { config: { targets, max_targets: 256, ...unlimited } };
  const live = await LivePlugin.start<LeakSnapshot>(memleak, options);
  await live.until(
    ({ targets: all }) =>
      all.filter(({ allocators }) => allocators.length > 0).length === pids.length,
  );
  // They go over to links that they share within some seconds.
  if (pids.length > 1) await sleep(3000);
  return live;
}

/** Processes that do nothing. */
class Idle {
  readonly #undo: () => void;

  private constructor(private readonly children: readonly ChildProcess[]) {
    this.#undo = atExit(() => {
      for (const child of children) child.kill('SIGKILL');
    });
  }

  static async start(count: number): Promise<Idle> {
    const idle = new Idle(Array.from({ length: count }, () => spawn('sleep', ['1000'])));
    await sleep(count > 0 ? 300 : 0);
    return idle;
  }

  get pids(): readonly number[] {
    return this.children.flatMap(({ pid }) => pid ?? []);
  }

  stop(): void {
    this.#undo();
  }
}
