/**
 * What watching reclaim costs where nothing else is done: a container at its limit that reads a file
 * of no data, one so small that nothing could be reclaimed more cheaply, and one that reclaims nothing.
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
  READS,
  readLoad,
  strategiesOf,
  TARGET_PERCENT,
} from './cost.js';
import { busyness } from './quiet.js';

export const title = 'pr: reclaim, watched and not';

const FLOOR = ['reclaim_begin', 'reclaim_end', 'shrink_inactive'];
const PASSES = 20;
const AS_SHIPPED = 'pr as shipped';
/** Every episode that is at all long is a span: as much as pr can be asked for. */
const ALL_SPANS = { span_threshold: '1ms', span_rate: 10_000 };

export async function run(): Promise<BenchRow[]> {
  const rows = busyness();
  for (const reads of [READS.container, READS.pages]) {
    rows.push(...(await withLoad(readLoad(reads), (load) => asShipped(load, TARGET_PERCENT))));
  }
  const floor = new Floor();
  try {
    rows.push(...(await withLoad(readLoad(READS.tiny), (load) => byStrategy(load, floor))));
  } finally {
    floor.close();
  }
  const ofFaults = (load: Load) => addedByPlugin(load, 'pr', AS_SHIPPED, {}, TARGET_PERCENT);
  rows.push(await withLoad(faultLoad(), ofFaults));
  return rows;
}

async function withLoad<Result>(
  starting: Promise<Load>,
  measure: (load: Load) => Promise<Result>,
): Promise<Result> {
  const load = await starting;
  try {
    return await measure(load);
  } finally {
    await load.workload.stop();
  }
}

const asShipped = async (load: Load, target?: number): Promise<BenchRow[]> => [
  await baseline(load),
  await addedByPlugin(load, 'pr', AS_SHIPPED, {}, target),
];

/** Where an episode is cheapest, its cost shows most. */
async function byStrategy(load: Load, floor: Floor): Promise<BenchRow[]> {
  const { can, cannot } = strategiesOf('pr');
  const empty = await perEpisode(load, floor);
  const rows = await asShipped(load);
  const work = rows[0]?.value ?? Number.NaN;
  rows.push(
    { name: 'pages an episode', value: empty.pages, unit: 'pages' },
    await added(load, 'empty programs', () => floor.on(...FLOOR)),
    await addedByPlugin(load, 'pr', 'pr, every span', { config: ALL_SPANS }),
  );
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
            value: (100 * (ns - empty.ns)) / (empty.pages * work),
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
