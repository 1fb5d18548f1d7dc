/**
 * What the verdicts are worth: every program of test/corpus under `mem-watcher leaks`, with the
 * defaults. A minute each, many at a time; each case in one of the builds, by turns, or in all of
 * them with CORPUS_BUILDS=all. CORPUS_ONLY is a pattern of names; CORPUS_WATCH=agent has one agent
 * watch all of them.
 */
import { BUILDS, type Build, corpusMissing, isBuilt } from '../test/corpus/build.js';
import { casesOf, readCorpus } from '../test/corpus/manifest.js';
import { type Outcome, runTrials, type Trial } from '../test/corpus/run.js';
import { precision, quantile, recall, scoreOf, troubles } from '../test/corpus/score.js';
import { watchByAgent, watchByCommand } from '../test/corpus/watch.js';
import type { BenchRow } from './bench.js';
import { calibrationRows } from './calibration.js';
import { busyness } from './quiet.js';

export const title = 'memleak: the corpus, precision and recall';

const SECONDS = Number(process.env.CORPUS_SECONDS ?? 60);
const AT_ONCE = Number(process.env.CORPUS_AT_ONCE ?? 12);
/** One agent for all of them; else each has a command of its own. */
const BY_AGENT = process.env.CORPUS_WATCH === 'agent';
const RECALL = 0.95;

export async function run(): Promise<BenchRow[]> {
  const missing = corpusMissing();
  if (missing !== undefined) throw new Error(missing);
  const outcomes = await runTrials(chosenTrials(), {
    watch: BY_AGENT ? watchByAgent : watchByCommand,
    seconds: SECONDS,
    atOnce: AT_ONCE,
    // It takes long: what is known already is said.
    onBatch: (batch) => {
      const { programs, leaks, found, falseAlarms } = scoreOf(batch);
      process.stderr.write(`${programs} programs: ${found} of ${leaks}, ${falseAlarms} false\n`);
      for (const trouble of troubles(batch)) process.stderr.write(`  ${trouble}\n`);
    },
  });
  return [
    ...busyness(),
    ...rowsOf('all', outcomes),
    ...BUILDS.flatMap((build) =>
      rowsOf(
        build,
        outcomes.filter((outcome) => outcome.build === build),
      ),
    ),
    ...calibrationRows(
      'calibration',
      outcomes.flatMap(({ verdict }) => verdict.claims),
    ),
    ...troubles(outcomes).map((name) => ({ name, value: 1, unit: '' })),
  ];
}

function chosenTrials(): Trial[] {
  const only = new RegExp(process.env.CORPUS_ONLY ?? '');
  const all = process.env.CORPUS_BUILDS === 'all';
  const builds = (index: number): readonly Build[] =>
    all ? BUILDS : BUILDS.slice(index % BUILDS.length, (index % BUILDS.length) + 1);
  return casesOf(readCorpus())
    .filter(({ name, program }) => only.test(name) && isBuilt(program))
    .filter(({ program }) => BY_AGENT || program.needs === undefined)
    .flatMap((each, index) => builds(index).map((build) => ({ case: each, build })));
}

function rowsOf(name: string, outcomes: readonly Outcome[]): BenchRow[] {
  if (outcomes.length === 0) return [];
  const score = scoreOf(outcomes);
  const share = (what: string, value: number, target: number, note: string): BenchRow => ({
    name: `${name}: ${what}`,
    value,
    unit: '',
    target: `≥ ${target}`,
    met: value >= target,
    note,
  });
  return [
    share('precision', precision(score), 1, `${score.falseAlarms} false alarms`),
    share(
      'recall',
      recall(score),
      RECALL,
      `${score.found} of ${score.leaks} leaks in ${score.programs} runs of ${SECONDS} s`,
    ),
    { name: `${name}: with the leak’s own line`, value: score.exact / score.found, unit: '' },
    timeRow(`${name}: time to verdict, from the start of the command`, score.seconds),
    timeRow(`${name}: time to verdict, from the leak’s first allocation`, score.ages),
  ];
}

const timeRow = (name: string, seconds: readonly number[]): BenchRow => ({
  name,
  value: quantile(seconds, 0.5),
  unit: 's',
  note: `90 % within ${quantile(seconds, 0.9).toFixed(0)} s, of a run of ${SECONDS}`,
});
