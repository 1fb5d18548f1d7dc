import type { Class, State } from '../../model.js';
import { createJudge } from '../create-judge.js';
import { type JudgeOptions, windowOfRun } from '../options.js';
import type { Kind } from './program.js';
import { Random } from './random.js';
import { readingsOf, type Watching } from './readings.js';
import type { Sight } from './sight.js';
import type { Trace } from './trace.js';

/** How a program is run: a minute on the command line, or hours under the agent. */
export type Setting = 'minute' | 'hours';

export interface Outcome {
  readonly kind: Kind;
  readonly setting: Setting;
  readonly seed: number;
  readonly state: State;
  readonly class: Class | undefined;
  readonly confidence: number | undefined;
  readonly coverage: number;
  readonly reason: string;
  /** Whether it was called a leak at any time, and when, as a share of the run. */
  readonly confirmedAt: number | undefined;
  readonly changes: number;
  readonly watching: Watching;
  readonly allocations: number;
}

/** One program, drawn from its kind by the seed, watched and judged. */
export function simulate(
  kind: Kind,
  setting: Setting,
  seed: number,
  options: Partial<JudgeOptions> = {},
  sightFor?: (random: Random) => Sight,
): Outcome {
  const random = new Random(seed);
  for (let n = 0; n < 8; n++) random.next();
  const { watching, window } = circumstances(setting, random);
  const horizon = Math.min(watching.length, 12 * window);
  const trace = kind.draw({ random, length: watching.length, horizon });
  const judge = createJudge({ ...options, window });
  let confirmedAt: number | undefined;
  let changes = 0;
  const sampling = samplingFor(trace, random);
  const sight = sightFor?.(random);
  const sampled = { ...watching, sampling, ...(sight && { sight }) };
  for (const { reading, time, coverage } of readingsOf(trace, sampled, random)) {
    judge.observe(reading, time, { coverage, outstandingBytes: reading.bytes });
    for (const { after } of judge.conclude(time, time * 1000)) {
      changes++;
      if (after.state === 'confirmed') confirmedAt ??= time / watching.length;
    }
  }
  const judgement = judge.judgement('1');
  return {
    kind,
    setting,
    seed,
    state: judgement?.state ?? 'watching',
    class: judgement?.class,
    confidence: judgement?.confidence,
    coverage: judgement?.coverage ?? 1,
    reason: judgement?.reason ?? '',
    confirmedAt,
    changes,
    watching: sampled,
    allocations: trace.length,
  };
}

function circumstances(setting: Setting, random: Random): { watching: Watching; window: number } {
  const watched = {
    jitter: random.pick([0, 0.02, 0.15]),
    missed: random.pick([0, 0, 0.05]),
    // The plugin looks ten times a window; a crowd of allocations makes it look less often.
    agesEvery: random.pick([1, 1, 1, 2]),
    sampling: 0,
  };
  if (setting === 'minute') {
    const length = random.pick([60, 60, 60, 30, 20]);
    const interval = length >= 60 ? 1 : length / 40;
    return { watching: { ...watched, length, interval }, window: windowOfRun(length) };
  }
  const window = 300;
  const length = window * random.scale(13, 48);
  return { watching: { ...watched, length, interval: random.pick([30, 60]) }, window };
}

/** In one program of four: so that some dozens of what stays are recorded. */
function samplingFor({ sizes, deaths }: Trace, random: Random): number {
  if (!random.chance(0.25)) return 0;
  let kept = 0;
  for (const [n, size] of sizes.entries()) if (deaths[n] === Number.POSITIVE_INFINITY) kept += size;
  return kept / random.scale(40, 400);
}
