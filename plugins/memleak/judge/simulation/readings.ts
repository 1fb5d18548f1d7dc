import type { Ages, Coverage, Reading } from '../../model.js';
import type { Random } from './random.js';
import { FULL_SIGHT, type Sight } from './sight.js';
import type { Trace } from './trace.js';

/** How a program is watched. Times in seconds. */
export interface Watching {
  readonly length: number;
  readonly interval: number;
  /** Standard deviation of when a collection happens, as a share of the interval. */
  readonly jitter: number;
  /** Share of collections that do not happen. */
  readonly missed: number;
  /** Every so many readings look at ages; 0: none does. */
  readonly agesEvery: number;
  /** Mean bytes between samples; 0: all are recorded. */
  readonly sampling: number;
  /** Absent: nothing is missed. */
  readonly sight?: Sight;
}

const OCTAVES = 40;

/** The allocations that are recorded, with what each stands for. */
class Records {
  readonly births: Float64Array;
  readonly deaths: Float64Array;
  readonly sizes: Float64Array;
  readonly weights: Float64Array;
  /** When what was missed happened, ascending. */
  readonly missedAllocations: number[] = [];
  readonly missedFrees: number[] = [];
  length = 0;

  constructor(trace: Trace, { sampling, length, sight = FULL_SIGHT }: Watching, random: Random) {
    const { births, deaths, sizes } = trace;
    this.births = new Float64Array(births.length);
    this.deaths = new Float64Array(births.length);
    this.sizes = new Float64Array(births.length);
    this.weights = new Float64Array(births.length);
    const order = births.map((_, n) => n).sort((a, b) => (births[a] ?? 0) - (births[b] ?? 0));
    for (const n of order) {
      const size = sizes[n] ?? 0;
      const birth = births[n] ?? 0;
      const share = sampling > 0 ? -Math.expm1(-size / sampling) : 1;
      // What was allocated before the watcher came is not known to it.
      if (birth < 0 || !(random.next() < share)) continue;
      if (isMissed(sight.allocations(birth / length), random)) {
        this.missedAllocations.push(birth);
        continue;
      }
      let death = deaths[n] ?? 0;
      if (death < length && isMissed(sight.frees(death / length), random)) {
        this.missedFrees.push(death);
        death = Number.POSITIVE_INFINITY;
      }
      this.births[this.length] = birth;
      this.deaths[this.length] = death;
      this.sizes[this.length] = size;
      this.weights[this.length++] = 1 / share;
    }
    this.missedFrees.sort((a, b) => a - b);
  }
}

/** Draws nothing where nothing is missed, so that such programs stay what they were. */
const isMissed = (share: number, random: Random): boolean => share > 0 && random.chance(share);

/** A reading each collection in which the stack is known, as the ledger gives them. */
export function* readingsOf(
  trace: Trace,
  watching: Watching,
  random: Random,
): Generator<{ reading: Reading; time: number; coverage: Coverage }> {
  const { length, interval, jitter, missed, agesEvery, sampling } = watching;
  const records = new Records(trace, watching, random);
  let alive: number[] = [];
  let next = 0;
  let allocatedCount = 0;
  let allocatedBytes = 0;
  for (let round = 1; round * interval <= length * 1.001; round++) {
    if (random.chance(missed)) continue;
    const time = (round + Math.max(-0.4, Math.min(0.4, jitter * random.normal()))) * interval;
    for (; next < records.length && (records.births[next] ?? 0) <= time; next++) {
      allocatedCount += records.weights[next] ?? 0;
      allocatedBytes += (records.weights[next] ?? 0) * (records.sizes[next] ?? 0);
      alive.push(next);
    }
    if (next === 0) continue;
    alive = alive.filter((n) => (records.deaths[n] ?? 0) > time);
    let allocations = 0;
    let bytes = 0;
    let variance = 0;
    for (const n of alive) {
      const weight = records.weights[n] ?? 0;
      const size = records.sizes[n] ?? 0;
      allocations += weight;
      bytes += weight * size;
      variance += size * size * weight * (weight - 1);
    }
    const looks = agesEvery > 0 && round % agesEvery === 0;
    const reading: Reading = {
      source: { kind: 'process', pid: 1, startTime: 1 },
      key: '1',
      frames: [],
      depth: 'end',
      bytes,
      allocations,
      bytesError: Math.sqrt(variance),
      allocatedBytes,
      allocatedCount,
      freedBytes: allocatedBytes - bytes,
      freedCount: allocatedCount - allocations,
      firstSeen: (records.births[0] ?? 0) * 1e9,
      ...(looks && { ages: agesOf(records, alive, time) }),
    };
    const coverage: Coverage = {
      samplingInterval: sampling,
      missedAllocations: before(records.missedAllocations, time),
      missedFrees: before(records.missedFrees, time),
      recorded: next,
    };
    yield { reading, time, coverage };
  }
}

/** How many of the times have come. */
function before(times: readonly number[], time: number): number {
  const later = times.findIndex((each) => each > time);
  return later < 0 ? times.length : later;
}

function agesOf(records: Records, alive: readonly number[], time: number): Ages {
  const allocations = new Array<number>(OCTAVES).fill(0);
  const bytes = new Array<number>(OCTAVES).fill(0);
  let oldest = 0;
  for (const n of alive) {
    const age = time - (records.births[n] ?? 0);
    oldest = Math.max(oldest, age);
    const octave = Math.max(0, Math.min(OCTAVES - 1, Math.floor(Math.log2(age * 1000))));
    const weight = records.weights[n] ?? 0;
    allocations[octave] = (allocations[octave] ?? 0) + weight;
    bytes[octave] = (bytes[octave] ?? 0) + weight * (records.sizes[n] ?? 0);
  }
  return { oldest, allocations, bytes };
}
