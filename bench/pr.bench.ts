/**
 * What watching reclaim costs where nothing else is done: a cgroup at its limit that reads a file of
 * no data, so that every page costs little but to be reclaimed. And where nothing is reclaimed.
 */
import { type AttachedOptions, AttachedPlugin } from './attached.js';
import type { BenchRow } from './bench.js';
import { type RunTime, runTimeOf, totalOf } from './bpf-statistics.js';
import {
  added,
  addedByPlugin,
  baseline,
  Floor,
  faultLoad,
  ifItLoads,
  type Load,
  readLoad,
  strategiesOf,
  TARGET_PERCENT,
} from './cost.js';
import { busyness } from './quiet.js';

export const title = 'pr: reclaim, watched and not';

const FLOOR = ['reclaim_begin', 'reclaim_end', 'shrink_inactive'];
const PASSES = 20;
/** Every episode that is at all long is a span: as much as pr can be asked for. */
const ALL_SPANS = { span_threshold: '1ms', span_rate: 10_000 };

export async function run(): Promise<BenchRow[]> {
  const rows = busyness();
  const reads = await readLoad();
  const floor = new Floor();
  try {
    rows.push(...(await ofReads(reads, floor)));
  } finally {
    floor.close();
    await reads.workload.stop();
  }
  const faults = await faultLoad();
  try {
    rows.push(await addedByPlugin(faults, 'pr', 'pr as shipped', {}, TARGET_PERCENT));
  } finally {
    await faults.workload.stop();
  }
  return rows;
}

async function ofReads(load: Load, floor: Floor): Promise<BenchRow[]> {
  const { can, cannot } = strategiesOf('pr');
  const empty = await perEpisode(load, floor);
  const work = await baseline(load);
  const rows: BenchRow[] = [
    work,
    { name: 'pages an episode', value: empty.pages, unit: 'pages' },
    await added(load, 'empty programs', () => floor.on(...FLOOR)),
    await addedByPlugin(load, 'pr', 'pr as shipped', {}, TARGET_PERCENT),
    await addedByPlugin(load, 'pr', 'pr, every span', { config: ALL_SPANS }),
  ];
  for (const strategy of can) {
    rows.push(
      ...(await ifItLoads(strategy, async () => {
        const { ns, runs } = await perEpisodeOf(load, { strategy });
        const note = `by the kernel’s statistics, whose own cost is in it: empty programs have ${empty.ns.toFixed(0)}`;
        return [
          ...(strategy === can[0] ? [] : [await addedByPlugin(load, 'pr', 'pr', { strategy })]),
          { name: `${strategy}: an episode, ${runs.toFixed(1)} runs`, value: ns, unit: 'ns', note },
          {
            name: `${strategy}: its own share of the work`,
            value: (100 * (ns - empty.ns)) / (empty.pages * work.value),
            unit: '%',
            note: 'what an episode takes longer than by empty programs, over what its pages take',
          },
        ];
      })),
    );
  }
  return [...rows, ...cannot];
}

interface Episode {
  readonly ns: number;
  readonly runs: number;
  readonly pages: number;
}

async function perEpisode(load: Load, floor: Floor): Promise<Episode> {
  const off = floor.on(...FLOOR);
  try {
    const { workload } = load;
    return episodeOf(load, await runTimeOf(floor.object, FLOOR, () => workload.run(PASSES)));
  } finally {
    off();
  }
}

async function perEpisodeOf(load: Load, options: AttachedOptions): Promise<Episode> {
  const attached = await AttachedPlugin.start('pr', options);
  try {
    const { object } = attached.loaded;
    const times = await runTimeOf(object, attached.attached, () => load.workload.run(PASSES));
    return episodeOf(load, times);
  } finally {
    await attached.close();
  }
}

/** The end of an episode is the program that runs once each. */
function episodeOf({ pages }: Load, times: ReadonlyMap<string, RunTime>): Episode {
  const ends = [...times].filter(([name]) => name.endsWith('reclaim_end'));
  const episodes = ends.reduce((sum, [, { runs }]) => sum + runs, 0);
  const { runs, ns } = totalOf(times);
  return { ns: ns / episodes, runs: runs / episodes, pages: (PASSES * pages) / episodes };
}
