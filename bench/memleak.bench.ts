/**
 * What watching allocations costs the program that makes them: a tight loop and an allocator under
 * many threads; without probes, with two empty ones (the floor), with every mode of ours and with
 * memleak of libbpf-tools, by turns in one run. A real compile: memleak-compile.bench.ts.
 */

import { Allocations } from './allocations.js';
import type { BenchRow } from './bench.js';
import { median } from './bench.js';
import { summary } from './interleave.js';
import { FLOOR, FULL, PEER, ratioRows, SAMPLED } from './memleak-ratios.js';
import {
  EmptyProbes,
  peerProgram,
  peerWatcher,
  plugin,
  pluginWatcher,
  type Watcher,
} from './memleak-watchers.js';
import { busyness } from './quiet.js';

export const title = 'memleak: what it costs who is watched';

const ROUNDS = Number(process.env.MEMLEAK_ROUNDS ?? 9);
const LOOP = 100_000;
const MIXED = 30_000;
const THREADS = 4;
const LIVE = 100_000;

interface Load {
  readonly name: string;
  readonly pid: number;
  /** ns of CPU by allocation. */
  measure(): Promise<number>;
}

export async function run(): Promise<BenchRow[]> {
  const floor = new EmptyProbes();
  try {
    const peer = await peerProgram().catch((error: Error) => error);
    const watchers = new Map<string, Watcher>([
      [FLOOR, floor.watch],
      ['three, with malloc’s return', floor.watchReturn],
      [FULL, pluginWatcher({ sampling: 'full' })],
      [SAMPLED, pluginWatcher({ sampling: '512KiB' })],
      ['sampling 4 MiB', pluginWatcher({ sampling: '4MiB' })],
      ...(peer instanceof Error
        ? []
        : ([
            [PEER, peerWatcher(peer)],
            [`${PEER} -s 100`, peerWatcher(peer, ['-s', '100'])],
          ] as const)),
    ]);
    return [
      ...busyness(),
      ...(peer instanceof Error
        ? [{ name: `no ${PEER} to compare with`, value: Number.NaN, unit: '', note: peer.message }]
        : []),
      ...(await ofAllocations('tight loop', ['loop'], LOOP, 1, watchers)),
      ...(await ofAllocations(
        `${THREADS} threads`,
        ['threads', `${THREADS}`],
        MIXED,
        THREADS,
        watchers,
      )),
      ...(await attachRows()),
      ...(await memoryRows()),
    ];
  } finally {
    floor.close();
  }
}

async function ofAllocations(
  name: string,
  args: readonly string[],
  count: number,
  threads: number,
  watchers: ReadonlyMap<string, Watcher>,
): Promise<BenchRow[]> {
  const work = await Allocations.start(...args);
  try {
    const measure = async () => (await work.run(count)).cpu / count / threads;
    await measure();
    return await rowsOf({ name, pid: work.pid, measure }, watchers);
  } finally {
    await work.stop();
  }
}

/** A round has all of them, each between two measurements without any. */
async function rowsOf({ name, pid, measure }: Load, watchers: ReadonlyMap<string, Watcher>) {
  const alone: number[] = [];
  const added = new Map<string, number[]>([...watchers.keys()].map((key) => [key, []]));
  for (let round = 0; round < ROUNDS; round++) {
    process.stderr.write(`${name}: round ${round + 1} of ${ROUNDS}\n`);
    for (const [key, watch] of watchers) {
      const before = await measure();
      const off = await watch(pid);
      let cost: number;
      try {
        await measure();
        cost = await measure();
      } finally {
        await off();
      }
      await measure();
      const without = (before + (await measure())) / 2;
      alone.push(without);
      added.get(key)?.push(cost - without);
    }
  }
  const ns = (what: string, values: readonly number[]): BenchRow => {
    const { median: value, low, high } = summary(values);
    const note = `95 %: ${low.toFixed(0)} to ${high.toFixed(0)}, ${values.length} rounds`;
    return { name: `${name}: ${what}`, value, unit: 'ns', note };
  };
  return [
    ns('malloc and free by themselves', alone),
    ...[...added].map(([key, values]) => ns(`added by ${key}`, values)),
    ...ratioRows(name, added),
  ];
}

async function attachRows(): Promise<BenchRow[]> {
  const work = await Allocations.start('loop');
  const attach: number[] = [];
  const detach: number[] = [];
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const began = performance.now();
      const live = await plugin(work.pid);
      const attached = performance.now();
      await live.close();
      attach.push(attached - began);
      detach.push(performance.now() - attached);
    }
  } finally {
    await work.stop();
  }
  return [
    { name: 'load, attach and first account', value: median(attach), unit: 'ms' },
    { name: 'detach', value: median(detach), unit: 'ms' },
  ];
}

/** What the kernel charges for the maps, and what the agent has more, for so many live allocations. */
async function memoryRows(): Promise<BenchRow[]> {
  const work = await Allocations.start('hold');
  try {
    const live = await plugin(work.pid);
    try {
      const memory = () => live.self.maps.reduce((sum, map) => sum + (map.memory ?? 0), 0);
      const heap = () => {
        globalThis.gc?.();
        return process.memoryUsage().rss;
      };
      const before = { kernel: memory(), agent: heap() };
      await work.run(LIVE);
      await live.collect();
      const { allocations = 0 } = (await live.collect()).targets[0] ?? {};
      const note = `of ${allocations} that are held`;
      const row = (name: string, bytes: number): BenchRow => ({
        name,
        value: bytes / 2 ** 20,
        unit: 'MiB',
        note,
      });
      return [
        row('kernel: maps without any', before.kernel),
        row(`kernel: more with ${LIVE} live allocations`, memory() - before.kernel),
        row(`agent: more with ${LIVE} live allocations`, heap() - before.agent),
      ];
    } finally {
      await live.close();
    }
  } finally {
    await work.stop();
  }
}
