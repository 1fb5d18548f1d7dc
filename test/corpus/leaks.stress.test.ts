/**
 * The agent over a part of the corpus that has one of each kind: leaks are found at their lines, and
 * nothing else is called one. `npm run bench -- memleak-corpus` runs all of it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUILDS, corpusMissing, isBuilt } from './build.js';
import { casesOf, readCorpus } from './manifest.js';
import { runTrials } from './run.js';
import { scoreOf, troubles } from './score.js';
import { watchByAgent } from './watch.js';

const SECONDS = 40;
const RECALL = 0.9;
const lack =
  process.getuid?.() === 0 ? corpusMissing() : 'root is needed to probe the functions of others';

test('one of each kind', { skip: lack ?? false }, async (t) => {
  const kinds = new Map<string, ReturnType<typeof casesOf>[number]>();
  for (const each of casesOf(readCorpus())) {
    const { program } = each;
    const key = `${program.leaks} ${program.kind}`;
    if (program.needs === undefined && isBuilt(program) && !kinds.has(key)) kinds.set(key, each);
  }
  const trials = [...kinds.values()].map((each, index) => ({
    case: each,
    build: BUILDS[index % BUILDS.length] ?? 'O0',
  }));
  const outcomes = await runTrials(trials, {
    watch: watchByAgent,
    seconds: SECONDS,
    atOnce: trials.length,
  });
  const score = scoreOf(outcomes);
  for (const trouble of troubles(outcomes)) t.diagnostic(trouble);
  assert.ok(score.leaks > 10 && score.programs > 2 * 10, 'too few to say anything');
  assert.equal(score.falseAlarms, 0);
  // All at once on a busy machine, one may come too late for a verdict.
  assert.ok(score.found >= RECALL * score.leaks, `${score.found} of ${score.leaks} are found`);
});
