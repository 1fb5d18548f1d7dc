/**
 * What watching page allocations costs: an empty program on the tracepoint (the floor), paf by each
 * way that this kernel can do, and a storm of failures.
 */
import { AttachedPlugin } from './attached.js';
import type { BenchRow } from './bench.js';
import { runTimeOf, totalOf } from './bpf-statistics.js';
import {
  added,
  addedByPlugin,
  baseline,
  Floor,
  faultLoad,
  ifItLoads,
  type Load,
  READS,
  readLoad,
  strategiesOf,
  TARGET_PERCENT,
} from './cost.js';
import { busyness } from './quiet.js';
import { storm } from './storm.js';

export const title = 'paf: page allocations, watched and not';

const WAYS = ['tp_btf', 'raw_tp', 'tp'];

export async function run(): Promise<BenchRow[]> {
  const rows = [...busyness(), ...(await ofAllocations())];
  const reads = await readLoad(READS.container);
  try {
    rows.push(await baseline(reads));
    rows.push(await addedByPlugin(reads, 'paf', 'paf as shipped', {}, TARGET_PERCENT));
  } finally {
    await reads.workload.stop();
  }
  return rows;
}

async function ofAllocations(): Promise<BenchRow[]> {
  const load = await faultLoad();
  const floor = new Floor();
  try {
    const { can, cannot } = strategiesOf('paf');
    const empty = await nsOf(load, floor);
    const rows = [await baseline(load)];
    for (const way of WAYS) {
      rows.push(await added(load, `an empty ${way} program`, () => floor.on(`alloc_${way}`)));
    }
    rows.push(await addedByPlugin(load, 'paf', 'paf as shipped', {}, TARGET_PERCENT));
    let hot = 0;
    for (const strategy of can) {
      rows.push(
        ...(await ifItLoads(strategy, async () => {
          const ns = await nsByPlugin(load, strategy);
          if (strategy === can[0]) hot = ns;
          const more =
            strategy === can[0] ? [] : [await addedByPlugin(load, 'paf', 'paf', { strategy })];
          const note = `by the kernel’s statistics, whose own cost is in it: an empty program has ${empty.toFixed(0)}`;
          return [
            ...more,
            { name: `${strategy}: ns a granted allocation`, value: ns, unit: 'ns', note },
          ];
        })),
      );
    }
    return [...rows, ...cannot, ...(await storm(hot))];
  } finally {
    floor.close();
    await load.workload.stop();
  }
}

async function nsOf({ workload, passes }: Load, floor: Floor): Promise<number> {
  const off = floor.on('alloc_tp_btf');
  try {
    const times = await runTimeOf(floor.object, ['alloc_tp_btf'], () => workload.run(passes * 10));
    const { runs, ns } = totalOf(times);
    return ns / runs;
  } finally {
    off();
  }
}

async function nsByPlugin({ workload, passes }: Load, strategy: string): Promise<number> {
  const attached = await AttachedPlugin.start('paf', { strategy });
  try {
    const { object } = attached.loaded;
    const times = await runTimeOf(object, attached.attached, () => workload.run(passes * 10));
    const { runs, ns } = totalOf(times);
    return ns / runs;
  } finally {
    await attached.close();
  }
}
