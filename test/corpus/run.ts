/** Runs programs of the corpus under the agent, several at a time, and judges what it says. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type Build, binary } from './build.js';
import type { CorpusCase } from './manifest.js';
import { judge, type Verdict } from './verdict.js';
import type { Watch } from './watch.js';

export interface Trial {
  readonly case: CorpusCase;
  readonly build: Build;
}

export interface Outcome extends Trial {
  readonly verdict: Verdict;
}

export interface TrialOptions {
  readonly watch: Watch;
  /** Seconds of watching; a program's run is as long. */
  readonly seconds: number;
  /** Programs at a time. */
  readonly atOnce: number;
  readonly onBatch?: (outcomes: readonly Outcome[]) => void;
}

/** Seconds that a program goes on, so that it does not end while it is watched. */
const BEYOND = 300;

export async function runTrials(
  trials: readonly Trial[],
  { watch, seconds, atOnce, onBatch }: TrialOptions,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let at = 0; at < trials.length; at += atOnce) {
    const batch = trials.slice(at, at + atOnce);
    const ended = await runBatch(batch, watch, seconds);
    onBatch?.(ended);
    outcomes.push(...ended);
  }
  return outcomes;
}

async function runBatch(trials: readonly Trial[], watch: Watch, seconds: number) {
  const running: { trial: Trial; child: ChildProcess }[] = [];
  try {
    for (const trial of trials) running.push({ trial, child: await start(trial, seconds) });
    const targets = running.map(({ trial, child }) => ({
      pid: child.pid ?? 0,
      needs: trial.case.program.needs,
    }));
    const alarms = await watch(targets, seconds);
    return running.map(({ trial, child }) => {
      if (child.exitCode !== null) throw new Error(`${trial.case.name} ended before the agent`);
      return { ...trial, verdict: judge(trial.case.program, alarms.get(child.pid ?? 0) ?? []) };
    });
  } finally {
    await Promise.all(running.map(({ child }) => stop(child)));
  }
}

/** Started once it says so. */
async function start({ case: { program, options }, build }: Trial, seconds: number) {
  const args = [`seconds=${seconds}`, `beyond=${BEYOND}`, ...options];
  const child = spawn(binary(program.name, build), args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(createInterface({ input: child.stdout }), 'line');
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}
