/**
 * What watching costs a real compile, which does little but allocate: by itself, with two empty
 * probes (the floor), with memleak of this project and with that of libbpf-tools, by turns.
 */

import type { BenchRow } from './bench.js';
import { median } from './bench.js';
import { Compile } from './compile.js';
import { summary } from './interleave.js';
import { FLOOR, FULL, PEER, ratioRows, SAMPLED } from './memleak-ratios.js';
import type { Watcher } from './memleak-watchers.js';
import {
  EmptyProbes,
  peerProgram,
  peerWatcher,
  plugin,
  pluginWatcher,
} from './memleak-watchers.js';
import { busyness } from './quiet.js';

export const title = 'memleak: what it costs a compile (g++)';

const ROUNDS = Number(process.env.MEMLEAK_COMPILES ?? 9);
const ALONE = 'by itself';
/** It calls calloc and realloc as well, which those who follow it must probe. */
const FLOOR_OF_ALL = 'four empty probes';

export async function run(): Promise<BenchRow[]> {
  if (ROUNDS === 0) return [];
  const peer = await peerProgram().catch((error: Error) => error);
  const floor = new EmptyProbes();
  const source = new Compile();
  try {
    const ways = new Map<string, Watcher | undefined>([
      [ALONE, undefined],
      [FLOOR, floor.watch],
      [FLOOR_OF_ALL, floor.watchAll],
      [FULL, pluginWatcher({ sampling: 'full' })],
      [SAMPLED, pluginWatcher({ sampling: '512KiB' })],
      ...(peer instanceof Error ? [] : [[PEER, peerWatcher(peer)] as const]),
    ]);
    const missing = peer instanceof Error ? peer.message : undefined;
    return [
      ...busyness(),
      ...(missing === undefined ? [] : [absent(PEER, missing)]),
      ...rowsOf(await allocationsOf(source), await took(source, ways)),
    ];
  } finally {
    source.remove();
    floor.close();
  }
}

const absent = (name: string, why: string): BenchRow => ({
  name: `no ${name} to compare with`,
  value: Number.NaN,
  unit: '',
  note: why,
});

/** As they are recorded. The files are read by this compile, and by none that is measured. */
async function allocationsOf(source: Compile): Promise<number> {
  let recorded: number | undefined;
  await source.run(async (pid) => {
    const live = await plugin(pid, { sampling: 'full' });
    return async () => {
      recorded = (await live.collect()).targets[0]?.coverage.recorded;
      await live.close();
    };
  });
  return recorded ?? Number.NaN;
}

/** Seconds of CPU by way and round. */
async function took(source: Compile, ways: ReadonlyMap<string, Watcher | undefined>) {
  const seconds = new Map<string, number[]>([...ways.keys()].map((way) => [way, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [way, watch] of ways) {
      process.stderr.write(`g++, round ${round + 1} of ${ROUNDS}: ${way}\n`);
      seconds.get(way)?.push(await source.run(watch));
    }
  }
  return seconds;
}

/** Rounds are compared with their own: what the machine did meanwhile hits all alike. */
function rowsOf(allocations: number, seconds: ReadonlyMap<string, readonly number[]>): BenchRow[] {
  const alone = seconds.get(ALONE) ?? [];
  const added = new Map(
    [...seconds].map(([way, values]) => [
      way,
      values.map((value, round) => value - (alone[round] ?? Number.NaN)),
    ]),
  );
  return [
    { name: 'g++: allocations', value: allocations, unit: '' },
    ...[...seconds].map(([way, values]) => {
      const times = summary(values.map((value, round) => value / (alone[round] ?? Number.NaN)));
      const each = ((median(added.get(way) ?? []) * 1e6) / allocations).toFixed(2);
      const spread = `95 %: ${times.low.toFixed(2)} to ${times.high.toFixed(2)}`;
      const note = `${times.median.toFixed(2)} × by itself (${spread}), ${each} µs more by allocation`;
      return {
        name: `g++: ${way}`,
        value: median(values),
        unit: 's CPU',
        ...(way === ALONE ? {} : { note }),
      };
    }),
    ...ratioRows('g++', added, FLOOR_OF_ALL),
  ];
}
