import { createJudge } from '../plugins/memleak/judge/create-judge.js';
import { HARMLESS, UNKNOWABLE } from '../plugins/memleak/judge/simulation/harmless.js';
import { LEAKS } from '../plugins/memleak/judge/simulation/leaks.js';
import {
  type Outcome,
  type Setting,
  simulate,
} from '../plugins/memleak/judge/simulation/simulate.js';
import { rates, tally } from '../plugins/memleak/judge/simulation/tally.js';
import type { Reading } from '../plugins/memleak/model.js';
import type { BenchRow } from './bench.js';
import { type Claim, calibrationRows } from './calibration.js';

export const title = 'Judging leaks: 12,000 simulated programs, and the cost of 10,000 stacks';

const PER_KIND = 150;
const STACKS = 10_000;
const ROUNDS = 240;

export async function run(): Promise<BenchRow[]> {
  return [...programs('minute'), ...programs('hours'), ...cost()];
}

function programs(setting: Setting): BenchRow[] {
  const outcomes: Outcome[] = [];
  for (const [k, kind] of [...LEAKS, ...HARMLESS, ...UNKNOWABLE].entries()) {
    for (let n = 0; n < PER_KIND; n++)
      outcomes.push(simulate(kind, setting, 100_000 + 1000 * k + n));
  }
  const rows = tally(outcomes);
  const { precision, recall } = rates(rows);
  return [
    ...rows.map(({ name, truth, programs: all, confirmed, suspected, ever, time }) => ({
      name: `${setting}, ${truth}: ${name}`,
      value: (100 * confirmed) / all,
      unit: '% confirmed',
      note:
        `${suspected} of ${all} suspected at the end, ${ever} ever confirmed` +
        (time === undefined ? '' : `, the median after ${Math.round(100 * time)} % of the run`),
    })),
    rateRow(`${setting}: precision`, precision, '= 1', precision === 1),
    rateRow(`${setting}: recall`, recall, '≥ 0.95', recall >= 0.95),
    ...calibrationRows(`${setting}: calibration`, outcomes.flatMap(claimOf)),
  ];
}

/** What nothing can tell from a leak within the run says nothing about the judge. */
function claimOf({ kind: { truth }, class: said, confidence = 0 }: Outcome): Claim[] {
  return said === 'leak' && truth !== 'unknowable'
    ? [{ confidence, isLeak: truth === 'leak' }]
    : [];
}

const rateRow = (name: string, value: number, target: string, met: boolean): BenchRow => ({
  name,
  value,
  unit: 'share',
  target,
  met,
});

/** Stacks that grow, one reading a second, windows of 5 s. */
function cost(): BenchRow[] {
  const judge = createJudge({ window: 5 });
  const readings = Array.from({ length: STACKS }, (_, n) => readingOf(String(n)));
  const coverage = { samplingInterval: 0, missedAllocations: 0, missedFrees: 0, recorded: 1e6 };
  const surroundings = { coverage, outstandingBytes: 1e9 };
  globalThis.gc?.();
  const before = process.memoryUsage();
  let observed = 0;
  let concluded = 0;
  let longest = 0;
  for (let round = 1; round <= ROUNDS; round++) {
    for (const reading of readings)
      Object.assign(reading, { bytes: 16 * round, allocations: round });
    const begin = performance.now();
    for (const reading of readings) judge.observe(reading, round, surroundings);
    const middle = performance.now();
    judge.conclude(round, round * 1000);
    const end = performance.now();
    observed += middle - begin;
    concluded += end - middle;
    longest = Math.max(longest, end - middle);
  }
  globalThis.gc?.();
  const after = process.memoryUsage();
  const bytes = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
  const calls = STACKS * ROUNDS;
  return [
    { name: 'observe', value: (observed / calls) * 1e6, unit: 'ns/stack' },
    { name: 'conclude, in the mean', value: concluded / ROUNDS, unit: 'ms', note: '10,000 stacks' },
    {
      name: 'conclude, when windows end',
      value: longest,
      unit: 'ms',
      note: '10,000 stacks at once',
    },
    { name: 'memory', value: bytes / STACKS, unit: 'bytes/stack', note: `after ${ROUNDS} rounds` },
  ];
}

function readingOf(key: string): Reading {
  return {
    source: { kind: 'process', pid: 1, startTime: 1 },
    key,
    frames: [BigInt(key)],
    depth: 'end',
    bytes: 16,
    allocations: 1,
    bytesError: 0,
    allocatedBytes: 1e6,
    allocatedCount: 1e4,
    freedBytes: 0,
    freedCount: 0,
    firstSeen: 0,
  };
}
